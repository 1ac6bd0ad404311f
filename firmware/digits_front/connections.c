/* A front's connections: who is read, answered, hung up on. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "state.h"

enum {
    /* Replies of a connection that are due; above the first number no more is read, below the second again. */
    PAUSE_ABOVE = 256,
    RESUME_BELOW = 128,
    MOST_UNSENT = 256 << 10 /* bytes that a client has not taken, above which no more of it is read */
};

connection *connections_find(const front *f, uint32_t place, uint32_t generation)
{
    connection *c = place < f->place_count ? f->places[place] : NULL;

    return c != NULL && c->generation == generation ? c : NULL;
}

uint64_t connections_key(const connection *c)
{
    return (uint64_t)c->generation << 32 | c->place;
}

/* Has it looked at for what it waits for. */
static void watch(front *f, connection *c)
{
    int takes = !c->paused && !c->ending && !c->closing && c->unsent_count - c->unsent_at < MOST_UNSENT;
    int reads = takes || c->draining;
    struct epoll_event event = { .data.u64 = connections_key(c) };

    event.events = (reads ? (uint32_t)EPOLLIN : 0) | (c->unsent != NULL ? (uint32_t)EPOLLOUT : 0);
    if (c->socket >= 0 && event.events != c->watched) {
        c->watched = event.events;
        epoll_ctl(f->clients, EPOLL_CTL_MOD, c->socket, &event);
    }
}

void connections_lose(front *f, connection *c)
{
    if (c->socket < 0) {
        return;
    }
    close(c->socket);
    c->socket = -1;
    f->places[c->place] = NULL;
    f->free_places[f->free_count++] = c->place;
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        f->first = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    /* What is left of it goes at the end of the call: somebody may be in the middle of something. */
    c->next = f->ended;
    f->ended = c;
    f->counts.connections--;
}

void connections_forget_ended(front *f)
{
    connection *c, *next;

    for (c = f->ended; c != NULL; c = next) {
        next = c->next;
        connection_free(c);
    }
    f->ended = NULL;
}

/* Ends it as soon as all is sent, and the client has it: a connection that is closed while there is something to read is
 * reset, and what is on its way to the client is lost. */
static void hang_up(front *f, connection *c)
{
    c->closing = 1;
    if (c->unsent != NULL) {
        watch(f, c);
    } else if (c->ended || (f->finishing && !connection_in_flight(c)) || shutdown(c->socket, SHUT_WR) != 0) {
        connections_lose(f, c);
    } else {
        if (!c->draining) {
            c->since = state_now();
            connection_takes(c);
        }
        c->draining = 1;
        watch(f, c);
    }
}

void connections_finish(front *f, connection *c)
{
    c->ending = 1;
    if (c->count == 0) {
        hang_up(f, c);
    } else {
        watch(f, c);
    }
}

/* The protocol has no word for a refusal: the connection ends after the replies that are due. */
static void refuse(front *f, connection *c)
{
    tell_kind(f, FRONT_REFUSED, 0, 0);
    c->refused = 1;
    connections_finish(f, c);
}

void connections_flush(front *f, connection *c, uint64_t now)
{
    size_t count;

    if (c->socket < 0 || c->closing) {
        return;
    }
    do {
        count = connection_take(c, f->out, sizeof f->out, f->stats);
        if (count != 0 && !connection_send(c, f->out, count)) {
            connections_lose(f, c);
            return;
        }
    } while (count + DIGITS_REPLY > sizeof f->out);
    c->since = now;
    if (c->ending && c->count == 0) {
        hang_up(f, c);
        return;
    }
    if (c->paused && c->count < RESUME_BELOW) {
        c->paused = 0;
    }
    watch(f, c);
}

/* ---- reading */

/* What was read of a connection, behind what was kept of it, becomes samples. */
static void take(front *f, connection *c, uint64_t now, uint32_t count)
{
    int32_t taken = requests_take(f, c, f->space, count, now);

    if (taken == -2 || (taken >= 0 && !connection_keep(c, f->space + taken, count - (uint32_t)taken))) {
        connections_lose(f, c);
        return;
    }
    if (taken > 0) {
        c->since = now;
    }
    if (taken < 0) {
        connection_keep(c, NULL, 0);
        refuse(f, c);
    }
    if (c->socket >= 0 && c->count > PAUSE_ABOVE) {
        c->paused = 1;
        watch(f, c);
    }
    if (c->count > c->awaited) {
        connections_flush(f, c, now);
    }
}

void connections_receive(front *f, connection *c, uint64_t now)
{
    ssize_t count;

    if (c->partial != NULL) {
        memcpy(f->space, c->partial, c->partial_count);
    } else {
        /* A request that begins now must be whole in time; one that has begun gets no more of it. */
        c->since = now;
    }
    count = recv(c->socket, f->space + c->partial_count, READ_BYTES, MSG_DONTWAIT);
    if (count > 0) {
        take(f, c, now, c->partial_count + (uint32_t)count);
    } else if (count == 0) {
        /* It sends no more, and may still read. */
        c->ended = 1;
        connections_finish(f, c);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        connections_lose(f, c);
    }
}

/* Reads what nobody looks at any more. */
static void drain(front *f, connection *c)
{
    ssize_t count = recv(c->socket, f->space, READ_BYTES, MSG_DONTWAIT);

    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        connections_lose(f, c);
    }
}

void connections_serve(front *f, connection *c, uint64_t now, uint32_t events)
{
    if (c->draining) {
        drain(f, c);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        if (!connection_send_rest(c)) {
            connections_lose(f, c);
            return;
        }
        /* The system has room for more: the client has taken some. */
        c->since = now;
        if (c->closing && c->unsent == NULL) {
            hang_up(f, c);
            return;
        }
        watch(f, c);
    }
    if ((events & EPOLLIN) != 0 && !c->paused && !c->ending && !c->closing) {
        connections_receive(f, c, now);
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        connections_lose(f, c);
    }
}
