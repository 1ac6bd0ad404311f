/* Who is let in to a front. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "state.h"

enum {
    ACCEPTED = 128, /* connections that are let in in a look */
    FIRST_PLACES = 64,
    MOST_PLACES = 1 << 24
};

void accept_more(front *f, int on)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)GENERATION_LISTENER << 32 };

    if (on != f->accepting && !f->finishing) {
        epoll_ctl(f->clients, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, f->settings.listener, &event);
        f->accepting = on;
        f->counts.exhausted = !on;
    }
}

/* Has a number for another connection. Returns 0 where there is no memory. */
static int more_places(front *f)
{
    uint32_t count = f->place_count != 0 ? 2 * f->place_count : FIRST_PLACES;
    connection **places;
    uint32_t *free_places;

    if (f->free_count != 0) {
        return 1;
    }
    if (count > MOST_PLACES) {
        return 0;
    }
    places = realloc(f->places, count * sizeof *places);
    if (places == NULL) {
        return 0;
    }
    f->places = places;
    free_places = realloc(f->free_places, count * sizeof *free_places);
    if (free_places == NULL) {
        return 0;
    }
    f->free_places = free_places;
    while (f->place_count < count) {
        f->places[f->place_count] = NULL;
        f->free_places[f->free_count++] = f->place_count++;
    }
    return 1;
}

/* Looks after a client from now on. Returns 0 where there is no memory for it. */
static int let_in(front *f, int socket, uint64_t now)
{
    struct epoll_event event = { .events = EPOLLIN };
    connection *c = more_places(f) ? calloc(1, sizeof *c) : NULL;

    if (c == NULL) {
        return 0;
    }
    c->socket = socket;
    c->place = f->free_places[f->free_count - 1];
    f->generation++;
    if (f->generation < GENERATION_FIRST) { /* Once in 2^32 connections. */
        f->generation = GENERATION_FIRST;
    }
    c->generation = f->generation;
    c->watched = EPOLLIN;
    c->since = now;
    event.data.u64 = connections_key(c);
    if (epoll_ctl(f->clients, EPOLL_CTL_ADD, socket, &event) != 0) {
        free(c);
        return 0;
    }
    f->free_count--;
    f->places[c->place] = c;
    c->next = f->first;
    if (f->first != NULL) {
        f->first->previous = c;
    }
    f->first = c;
    f->counts.connections++;
    /* Mostly the request is there by now. */
    connections_receive(f, c, now);
    return 1;
}

void accept_all(front *f, uint64_t now)
{
    int i;

    for (i = 0; i < ACCEPTED && f->accepting; i++) {
        int socket = accept4(f->settings.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (socket >= 0 && !let_in(f, socket, now)) {
            close(socket);
            accept_more(f, 0);
        } else if (socket < 0 && errno != ECONNABORTED && errno != EINTR) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                accept_more(f, 0);
            }
            return;
        }
    }
}
