/* A digits server: one program, the network inside, all connections in one loop of epoll for each process. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#include "../boards/digits/digits_tensors.h"
#include "client.h"
#include "options.h"

enum {
    MOST_WORKERS = 256,
    EVENTS = 256,
    BACKLOG = 4096,
    VERSION = 1,
    SWEEP_MS = 1000,
    SUPERVISE_MS = 100,
    BEGUN_SECONDS = 10,
    FINISH_SECONDS = 5
};

static volatile sig_atomic_t stopping;
static client *clients;
static int listener, loop, accepting;
static pid_t children[MOST_WORKERS];

static int64_t nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t seconds(void)
{
    return nanoseconds() / 1000000000;
}

static float infer(void *context, const uint8_t *bytes, uint32_t at, float *outputs)
{
    int64_t start;

    (void)context;
    digits_set_input(&model_inputs[0], model_input(0), bytes, at);
    start = nanoseconds();
    model_run();
    start = nanoseconds() - start;
    digits_get_output(&model_outputs[0], model_output(0), outputs);
    return (float)start * 1e-6f;
}

static const digits_host host = { infer, client_write, 0, VERSION, DIGITS_NO_ACCELERATION };

static void watch(int socket, void *context, uint32_t events, int how)
{
    struct epoll_event event = { .events = events, .data.ptr = context };

    if (epoll_ctl(loop, how, socket, &event) != 0 && how == EPOLL_CTL_ADD) {
        perror("epoll");
        exit(1);
    }
}

/* Whether connections are taken; off while there is no descriptor for another one. */
static void accept_more(int on)
{
    if (on != accepting) {
        watch(listener, NULL, EPOLLIN | (uint32_t)EPOLLEXCLUSIVE, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL);
        accepting = on;
    }
}

static void hang_up(client *c)
{
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        clients = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    client_end(c);
    free(c);
    if (!stopping) {
        accept_more(1);
    }
}

static void take_connections(int64_t now)
{
    int socket, on = 1, i;

    /* Not all at once: those that are here want answers too. */
    for (i = 0; i < EVENTS; i++) {
        client *c;

        socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                accept_more(0);
            }
            return;
        }
        c = malloc(sizeof *c);
        if (c == NULL) {
            close(socket);
            return;
        }
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        client_start(c, socket, &host, now);
        c->previous = NULL;
        c->next = clients;
        if (clients != NULL) {
            clients->previous = c;
        }
        clients = c;
        watch(socket, c, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void serve(client *c, int64_t now)
{
    int wrote = c->left != NULL;

    switch (client_turn(c, now)) {
    case CLIENT_DONE:
        hang_up(c);
        break;
    case CLIENT_WRITES:
        if (!wrote) {
            watch(c->socket, c, EPOLLOUT, EPOLL_CTL_MOD);
        }
        break;
    case CLIENT_READS:
        if (wrote) {
            watch(c->socket, c, EPOLLIN, EPOLL_CTL_MOD);
        }
        break;
    }
}

/* Hangs up on those that have begun a request, take no replies or were refused, and do not end; and on those that say
 * nothing. */
static void sweep(int64_t now, long idle_seconds)
{
    client *c, *next;

    for (c = clients; c != NULL; c = next) {
        next = c->next;
        if (now - c->since > (c->refused || c->server.count != 0 || c->left != NULL ? BEGUN_SECONDS : idle_seconds)) {
            hang_up(c);
        }
    }
    if (!stopping) {
        accept_more(1);
    }
}

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

/* Takes no more connections, answers the requests that have arrived, and hangs up. */
static void finish(void)
{
    struct epoll_event events[EVENTS];
    int64_t end = seconds() + FINISH_SECONDS;
    int count, i;

    accept_more(0);
    close(listener);
    while (clients != NULL && seconds() < end && (count = epoll_wait(loop, events, EVENTS, 0)) > 0) {
        for (i = 0; i < count; i++) {
            serve(events[i].data.ptr, seconds());
        }
    }
    while (clients != NULL) {
        hang_up(clients);
    }
}

static void run_loop(const options *options)
{
    struct epoll_event events[EVENTS];
    int64_t last = seconds();

    loop = epoll_create1(EPOLL_CLOEXEC);
    accept_more(1);
    model_init();
    while (!stopping) {
        int count = epoll_wait(loop, events, EVENTS, SWEEP_MS), i;
        int64_t now = seconds();

        for (i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                take_connections(now);
            } else {
                serve(events[i].data.ptr, now);
            }
        }
        if (now != last) {
            sweep(now, options->idle_seconds);
            last = now;
        }
    }
    finish();
}

static void open_listener(options *options)
{
    socklen_t size = sizeof options->listen;
    int on = 1;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener < 0 || bind(listener, (struct sockaddr *)&options->listen, size) != 0 ||
        listen(listener, BACKLOG) != 0 || getsockname(listener, (struct sockaddr *)&options->listen, &size) != 0) {
        fprintf(stderr, "cannot listen there: %s\n", strerror(errno));
        exit(1);
    }
}

/* Tells where, once every process is there. */
static void announce(const options *options)
{
    char text[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &options->listen.sin_addr, text, sizeof text);
    printf("listening on %s:%u\n", text, ntohs(options->listen.sin_port));
    fflush(stdout);
}

/* A process of its own, which has the network's memory for itself. Whether this is still the supervisor. */
static int start_worker(long slot)
{
    pid_t parent = getpid();
    pid_t child = fork();

    if (child < 0) {
        perror("cannot start another worker");
        children[slot] = 0;
        return 1;
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        stopping = stopping || getppid() != parent;
        return 0;
    }
    children[slot] = child;
    return 1;
}

/* Another worker for each that ended. Whether this is still the supervisor. */
static int replace_workers(long workers)
{
    long slot;
    pid_t ended;
    int status;

    while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
        for (slot = 0; slot < workers && children[slot] != ended; slot++) {}
        if (slot == workers) {
            continue;
        }
        fprintf(stderr, "worker %ld ended by %s %d; another one takes its place\n", (long)ended,
                WIFSIGNALED(status) ? "signal" : "exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        if (!start_worker(slot)) {
            return 0;
        }
    }
    return 1;
}

/* Starts workers, and keeps as many. Whether this was the supervisor; a worker returns at once. */
static int supervise(const options *options)
{
    struct timespec pause = { .tv_nsec = SUPERVISE_MS * 1000000L };
    long slot;

    for (slot = 0; slot < options->workers; slot++) {
        if (!start_worker(slot)) {
            return 0;
        }
    }
    announce(options);
    while (!stopping) {
        if (!replace_workers(options->workers)) {
            return 0;
        }
        nanosleep(&pause, NULL);
    }
    for (slot = 0; slot < options->workers; slot++) {
        if (children[slot] > 0) {
            kill(children[slot], SIGTERM);
        }
    }
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
    return 1;
}

int main(int count, char **words)
{
    struct sigaction action = { .sa_handler = stop };
    struct rlimit files;
    options options;

    options_read(&options, count, words);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    open_listener(&options);
    if (options.workers > 1) {
        if (supervise(&options)) {
            return 0;
        }
    } else {
        announce(&options);
    }
    run_loop(&options);
    return 0;
}
