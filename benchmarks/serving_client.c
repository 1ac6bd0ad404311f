/* Keeps a digits server busy, from one thread in one loop of epoll, and spends as little of the cores that it shares with
 * it as that takes: bytes that were made once, and replies that are compared with those that were had before.
 *
 * serving_client PORT kept REQUESTS REPLIES CONNECTIONS WINDOW SECONDS     WINDOW requests under way on each connection
 * serving_client PORT one-each REQUESTS REPLIES CONNECTIONS WINDOW SECONDS a connection for each request
 *
 * REQUESTS is a file with 64 requests, REPLIES one with their replies. Each connection begins with another request, so
 * that a reply to somebody else's is seen, as is one out of order. Prints one line of JSON: replies in all and a second,
 * and CPU time of each; ends with 1 at the first reply that differs in more than its time.
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

enum { REQUEST = 3180, REPLY = 96, KINDS = 64, TIME_AT = 48, TIME_SIZE = 4, MOST_FILES = 65536, EVENTS = 256 };

/* Twice, so that KINDS messages can begin with any of them. */
static char requests[2 * KINDS * REQUEST], replies[2 * KINDS * REPLY], space[1 << 16];
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
    const char *end = requests + (file % KINDS + window) * REQUEST;
    while (rest > 0) {
        ssize_t sent = send(file, end - rest, (size_t)rest, MSG_DONTWAIT | MSG_NOSIGNAL);
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

static void load(const char *path, char *into, size_t each)
{
    FILE *file = fopen(path, "rb");
    check(file != NULL, path);
    check(fread(into, each, KINDS, file) == KINDS, path);
    fclose(file);
    memcpy(into + KINDS * each, into, KINDS * each);
}

/* Compare what came on a connection with what must, but for the time in each reply. */
static void compare(int file, const char *bytes, int size)
{
    const char *expected = replies + file % KINDS * REPLY;
    int at = have[file], end = at + size, good = end <= window * REPLY;
    while (good && at < end) {
        int within = at % REPLY, timed = within >= TIME_AT && within < TIME_AT + TIME_SIZE;
        int to = within < TIME_AT ? TIME_AT : timed ? TIME_AT + TIME_SIZE : REPLY;
        int count = to - within < end - at ? to - within : end - at;
        good = timed || memcmp(bytes, expected + at, (size_t)count) == 0;
        bytes += count;
        at += count;
    }
    if (!good) {
        fprintf(stderr, "a wrong reply, in the bytes from %d to %d of a connection's round\n", have[file], end);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event events[EVENTS];
    double start, cpu, end, took;
    long long answered = 0;
    int each, connections;

    if (argc != 8 || (window = atoi(argv[6])) < 1 || window > KINDS) {
        fprintf(stderr, "usage: %s PORT kept|one-each REQUESTS REPLIES CONNECTIONS WINDOW SECONDS\n", argv[0]);
        return 2;
    }
    each = strcmp(argv[2], "one-each") == 0;
    connections = atoi(argv[5]);
    load(argv[3], requests, REQUEST);
    load(argv[4], replies, REPLY);
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
    end = start + atof(argv[7]);
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
            compare(file, space, (int)size);
            have[file] += (int)size;
            if (have[file] < window * REPLY)
                continue;
            answered += window;
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
    check(answered > 0, "no reply");
    printf("{\"rate\": %.3f, \"cpu_us\": %.3f, \"requests\": %lld}\n", (double)answered / took,
           cpu / (double)answered * 1e6, answered);
    return 0;
}
