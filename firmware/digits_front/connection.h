/* One connection of a front: bytes in, replies out in the order of their requests. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "../digits/digits.h"

/* What becomes of a request. */
typedef enum reply_state {
    REPLY_AWAITED,
    REPLY_INFERENCE, /* its bytes are here */
    REPLY_STATS,     /* the same for everybody */
    REPLY_NONE       /* it failed: it, and those behind it, stay without a reply */
} reply_state;

typedef struct reply {
    uint8_t state;
    uint8_t bytes[DIGITS_REPLY];
} reply;

typedef struct connection {
    struct connection *previous, *next;
    int socket;
    uint32_t place, generation;
    uint32_t watched; /* what epoll looks for */
    /* Nothing more is read: too much is under way; it has ended on its side; a request of it has no reply. */
    uint8_t paused, ending, refused;
    uint8_t closing;  /* ends as soon as all is sent */
    uint8_t ended;    /* the client has said all, and all of it was read */
    uint8_t draining; /* all is sent; what still comes is read so that the client is not cut off from it */
    uint64_t since;   /* when the request that is not whole began, a reply went out, or the client took some, in ns */
    int in_flight;    /* bytes that its system had not confirmed when that was looked at last */

    uint8_t *partial; /* a request that is not whole */
    uint32_t partial_count;

    reply *replies; /* a ring of `room`, a power of two; the first belongs to request `first` */
    uint32_t room, head, count, first;
    uint32_t awaited; /* of these, how many are awaited */

    uint8_t *unsent; /* what the client has not taken yet */
    size_t unsent_at, unsent_count;
} connection;

/* A place for the reply to the next request; NULL if there is no memory. */
reply *connection_expect(connection *c, reply_state state);

/* The place of the reply to request `sequence`, if it is awaited. */
reply *connection_reply(connection *c, uint32_t sequence);

/* Takes the replies whose turn it is, up to `room` bytes of them; returns how many bytes. A request that failed ends
 * the connection. */
size_t connection_take(connection *c, uint8_t *to, size_t room, const uint8_t *stats);

/* Sends, and keeps what the client does not take. Returns 0 if it is gone. */
int connection_send(connection *c, const uint8_t *bytes, size_t count);

/* Sends what was kept. Returns 0 if the client is gone. */
int connection_send_rest(connection *c);

/* Keeps `count` bytes of a request that is not whole. Returns 0 if there is no memory. */
int connection_keep(connection *c, const uint8_t *bytes, uint32_t count);

/* How many bytes of what was sent the client's system has not confirmed yet. */
int connection_in_flight(const connection *c);

/* Whether the client has taken some since this was asked last. */
int connection_takes(connection *c);

void connection_free(connection *c);

#endif
