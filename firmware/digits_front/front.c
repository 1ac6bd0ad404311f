#define _GNU_SOURCE
#include "front.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "state.h"

/* Samples of several connections that are few enough to wait for others that come at the same time. */
enum { FEW = 8 };
/* While all sessions have something to do, clients are looked at when one of these answers, and after half a batch, but
 * never earlier or later than this, in ns: each of them by itself would cost more than a small network. */
enum { SOONEST = 200000, LATEST = 2000000 };

/* Has a descriptor looked at by whoever watches this front. Returns 0 where that cannot be. */
static int watch(const front *f, int how, int descriptor, int number, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.u64 = (uint64_t)(int64_t)number };

    return descriptor >= 0 && f->epoll >= 0 && epoll_ctl(f->epoll, how, descriptor, &event) == 0;
}

static void close_descriptors(const front *f)
{
    const int all[] = { f->clients, f->epoll, f->timer };
    size_t i;

    for (i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] >= 0) {
            close(all[i]);
        }
    }
}

front *front_open(const front_settings *settings)
{
    front *f = calloc(1, sizeof *f);
    int on = 1;

    if (f == NULL) {
        return NULL;
    }
    f->clients = epoll_create1(EPOLL_CLOEXEC);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!watch(f, EPOLL_CTL_ADD, f->clients, WATCHED_CLIENTS, EPOLLIN) ||
        !watch(f, EPOLL_CTL_ADD, f->timer, WATCHED_TIMER, EPOLLIN)) {
        close_descriptors(f);
        free(f);
        return NULL;
    }
    f->settings = *settings;
    memcpy(f->stats, settings->stats, sizeof f->stats);
    memcpy(f->bounds, settings->bounds, sizeof f->bounds);
    if (settings->table != NULL) {
        memcpy(f->table, settings->table, sizeof f->table);
        f->settings.table = f->table;
    }
    f->queue.row_bytes = DIGITS_PIXELS * (settings->input.integers ? 1 : sizeof(float));
    f->reachable = 1;
    /* Connections have it from their listener: replies are not to wait for one another. */
    setsockopt(settings->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    accept_more(f, 1);
    return f;
}

int front_descriptor(const front *f)
{
    return f->epoll;
}

const front_counts *front_counted(const front *f)
{
    return &f->counts;
}

/* Takes what sessions have answered. */
static void look_at_sessions(front *f)
{
    int count = epoll_wait(f->epoll, f->events, MOST_EVENTS, 0), i;

    for (i = 0; i < count; i++) {
        int64_t number = (int64_t)f->events[i].data.u64;

        if (number >= 0) {
            answers_take(f, (uint32_t)number);
        }
    }
}

/* One look at all clients. */
static void look_at_clients(front *f)
{
    uint64_t now = state_now();
    int count = epoll_wait(f->clients, f->events, MOST_EVENTS, 0), waiting = 0, i;

    for (i = 0; i < count; i++) {
        uint64_t key = f->events[i].data.u64;
        uint32_t generation = (uint32_t)(key >> 32);
        connection *c = connections_find(f, (uint32_t)key, generation);

        if (generation == GENERATION_LISTENER) {
            waiting = 1;
        } else if (c != NULL) {
            connections_serve(f, c, now, f->events[i].events);
        }
    }
    if (waiting) {
        accept_all(f, now);
    }
}

/* Has clients looked at in so many ns; never for 0. */
static void set_timer(front *f, uint64_t ns)
{
    struct itimerspec timer = { .it_value.tv_nsec = (long)ns };

    timerfd_settime(f->timer, 0, &timer, NULL);
}

/* Has clients watched, or the timer instead. */
static void watch_clients(front *f)
{
    uint64_t busy = dispatch_busy(f), now;

    if ((busy != 0) != f->deferred) {
        f->deferred = busy != 0;
        watch(f, EPOLL_CTL_MOD, f->clients, WATCHED_CLIENTS, f->deferred ? 0 : EPOLLIN);
        f->next = 0;
        if (!f->deferred) {
            set_timer(f, 0);
        }
    }
    now = state_now();
    if (f->deferred && now >= f->next) {
        busy = busy / 2 < SOONEST ? SOONEST : busy / 2 > LATEST ? LATEST : busy / 2;
        f->next = now + busy;
        set_timer(f, busy);
    }
}

void front_look(front *f)
{
    uint32_t before;

    look_at_sessions(f);
    /* As long as each look brings more, as where each request has a connection of its own, they go together. */
    do {
        before = f->queue.count;
        look_at_clients(f);
    } while (f->queue.count > before && f->queue.count < FEW && f->counts.connections > 1);
    dispatch_all(f);
    watch_clients(f);
    connections_forget_ended(f);
}

void front_resume(front *f)
{
    accept_more(f, 1);
}

void front_sweep(front *f, uint64_t begun_ns, uint64_t taking_ns, uint64_t idle_ns)
{
    uint64_t now = state_now();
    connection *c, *next;

    for (c = f->first; c != NULL; c = next) {
        int blocked = c->unsent != NULL;
        uint64_t longest = c->partial_count != 0 || c->draining ? begun_ns : idle_ns;

        next = c->next;
        if ((blocked || c->draining) && connection_takes(c)) {
            c->since = now;
        }
        if (blocked || (c->draining && c->in_flight != 0)) {
            longest = taking_ns;
        }
        if ((f->finishing && c->draining && c->in_flight == 0) ||
            ((blocked || c->count == 0) && now - c->since > longest)) {
            connections_lose(f, c);
        }
    }
    connections_forget_ended(f);
}

void front_finish(front *f)
{
    connection *c, *next;

    accept_more(f, 0);
    f->finishing = 1;
    for (c = f->first; c != NULL; c = next) {
        next = c->next;
        connections_finish(f, c);
    }
    connections_forget_ended(f);
}

void front_close(front *f)
{
    sample *s, *next;
    uint32_t i;

    while (f->first != NULL) {
        connections_lose(f, f->first);
    }
    connections_forget_ended(f);
    for (i = 0; i < f->lane_count; i++) {
        lane *l = &f->lanes[i];

        while (l->pending != 0) {
            for (s = l->batches[--l->pending].first; s != NULL; s = next) {
                next = s->next;
                queue_drop(&f->queue, s);
            }
        }
    }
    queue_free(&f->queue);
    tell_nothing_more(f);
    close_descriptors(f);
    free(f->lanes);
    free(f->places);
    free(f->free_places);
    free(f);
}
