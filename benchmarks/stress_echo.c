/* What a load generator can reach at most: a server that answers 3180 bytes with 96, and a client that asks it, both in
 * one loop of epoll.
 *
 * stress_echo server REPLY        the reply is the file REPLY; prints its port
 * stress_echo client PORT REQUEST CONNECTIONS REQUESTS        prints replies per second
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 3180, REPLY = 96, MOST = 60000 };

static char request[REQUEST], reply[REPLY], space[1 << 20];
/* Bytes of the open request (server) or reply (client), and requests that are left (client), for each file. */
static int have[MOST], left[MOST];

static void check(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static void load(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "rb");
    check(file != NULL, path);
    check(fread(to, 1, size, file) == size, path);
    fclose(file);
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void watch(int poll, int file)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = file };
    int yes = 1;
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    check(file < MOST && epoll_ctl(poll, EPOLL_CTL_ADD, file, &event) == 0, "epoll_ctl");
}

static void serve(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    check(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 8192) == 0, "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    watch(poll, listener);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int file = events[i].data.fd;
            if (file == listener) {
                int client = accept(listener, NULL, NULL);
                check(client >= 0, "accept");
                have[client] = 0;
                watch(poll, client);
                continue;
            }
            ssize_t got = read(file, space, sizeof space);
            if (got <= 0) {
                close(file);
                continue;
            }
            for (have[file] += (int)got; have[file] >= REQUEST; have[file] -= REQUEST)
                if (send(file, reply, REPLY, MSG_NOSIGNAL) != REPLY) {
                    /* The client has gone with requests under way. */
                    close(file);
                    break;
                }
        }
    }
}

static void ask(int port, int connections, int requests)
{
    struct sockaddr_in address = loopback(port);
    struct timespec start, end;
    int poll = epoll_create1(0), done = 0;
    for (int i = 0; i < connections; i++) {
        int file = socket(AF_INET, SOCK_STREAM, 0);
        check(connect(file, (struct sockaddr *)&address, sizeof address) == 0, "connect");
        left[file] = requests;
        watch(poll, file);
        have[i] = file;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < connections; i++)
        check(write(have[i], request, REQUEST) == REQUEST, "write");
    memset(have, 0, sizeof have);
    while (done < connections * requests) {
        struct epoll_event events[256];
        int count = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int file = events[i].data.fd;
            ssize_t got = read(file, space, sizeof space);
            check(got > 0, "read");
            have[file] += (int)got;
            if (have[file] < REPLY)
                continue;
            have[file] = 0;
            done++;
            if (--left[file] > 0)
                check(write(file, request, REQUEST) == REQUEST, "write");
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.0f\n", done / ((double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9));
}

int main(int count, char **words)
{
    if (count == 3 && strcmp(words[1], "server") == 0) {
        load(words[2], reply, REPLY);
        serve();
    }
    if (count == 6 && strcmp(words[1], "client") == 0) {
        load(words[3], request, REQUEST);
        ask(atoi(words[2]), atoi(words[4]), atoi(words[5]));
        return 0;
    }
    return 2;
}
