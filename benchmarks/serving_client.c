/* Keeps a digits server busy, from one thread in one loop of epoll, and spends as little of the cores that it shares with
 * it as that takes: bytes that were made once, and replies that are counted and not looked at.
 *
 * serving_client PORT kept REQUESTS CONNECTIONS WINDOW SECONDS     WINDOW requests under way on each connection
 * serving_client PORT one-each REQUESTS CONNECTIONS WINDOW SECONDS a connection for each request, so many at once
 *
 * REQUESTS is a file with WINDOW requests. Prints one line of JSON: replies in all and a second, and CPU time of each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 3180, REPLY = 96, MOST_WINDOW = 64, MOST_FILES = 65536, EVENTS = 256 };

static char requests[MOST_WINDOW * REQUEST], space[1 << 16];
/* Bytes of the replies that are awaited on a connection, and those of requests that the socket did not take yet. */
static int have[MOST_FILES], unsent[MOST_FILES];
static int loop, window;
static struct sockaddr_in server;

static void check(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void watch(int file, int operation, unsigned events)
{
    struct epoll_event event = { .events = events, .data.fd = file };
    check(epoll_ctl(loop, operation, file, &event) == 0, "epoll_ctl");
}

/* Send what is left of a connection's requests; hear when more can be sent, where that is not all. */
static void send_rest(int file)
{
    int waited = unsent[file] < 0;
    int rest = waited ? -unsent[file] : unsent[file];
    while (rest > 0) {
        ssize_t sent = send(file, requests + window * REQUEST - rest, (size_t)rest, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        check(sent > 0, "send");
        rest -= (int)sent;
    }
    /* Below 0 while epoll watches for it. */
    unsent[file] = -rest;
    if ((rest > 0) != waited)
        watch(file, EPOLL_CTL_MOD, rest > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void begin(void)
{
    int one = 1, file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(file >= 0 && file < MOST_FILES, "socket");
    check(connect(file, (struct sockaddr *)&server, sizeof server) == 0, "connect");
    check(setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "setsockopt");
    have[file] = 0;
    unsent[file] = window * REQUEST;
    watch(file, EPOLL_CTL_ADD, EPOLLIN);
    send_rest(file);
}

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    check(file != NULL, path);
    check(fread(requests, REQUEST, (size_t)window, file) == (size_t)window, path);
    fclose(file);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event events[EVENTS];
    double start, cpu, end, took;
    long long replies = 0;
    int each, connections;

    if (argc != 7 || (window = atoi(argv[5])) < 1 || window > MOST_WINDOW) {
        fprintf(stderr, "usage: %s PORT kept|one-each REQUESTS CONNECTIONS WINDOW SECONDS\n", argv[0]);
        return 2;
    }
    each = strcmp(argv[2], "one-each") == 0;
    connections = atoi(argv[4]);
    load(argv[3]);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1])) };
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loop = epoll_create1(EPOLL_CLOEXEC);
    check(loop >= 0, "epoll_create1");
    start = seconds_of(CLOCK_MONOTONIC);
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    end = start + atof(argv[6]);
    for (int number = 0; number < connections; number++)
        begin();
    while (seconds_of(CLOCK_MONOTONIC) < end) {
        int count = epoll_wait(loop, events, EVENTS, 1000);
        for (int number = 0; number < count; number++) {
            int file = events[number].data.fd;
            ssize_t size;
            if (events[number].events & EPOLLOUT)
                send_rest(file);
            if (!(events[number].events & ~(unsigned)EPOLLOUT))
                continue;
            size = recv(file, space, sizeof space, 0);
            check(size > 0, "the server hung up");
            have[file] += (int)size;
            if (have[file] < window * REPLY)
                continue;
            replies += window;
            have[file] = 0;
            if (each) {
                close(file);
                begin();
            } else {
                unsent[file] = window * REQUEST;
                send_rest(file);
            }
        }
    }
    took = seconds_of(CLOCK_MONOTONIC) - start;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    check(replies > 0, "no reply");
    printf("{\"rate\": %.3f, \"cpu_us\": %.3f, \"requests\": %lld}\n", (double)replies / took,
           cpu / (double)replies * 1e6, replies);
    return 0;
}
