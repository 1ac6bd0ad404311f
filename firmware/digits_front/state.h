/* What a front is made of: for its own files. */
#ifndef STATE_H
#define STATE_H

#include <sys/epoll.h>

#include "connection.h"
#include "front.h"
#include "lane.h"
#include "queue.h"

enum {
    MOST_EVENTS = 1024,     /* of epoll, in a look */
    READ_BYTES = 256 << 10, /* of a connection in a look */
    SENT_BYTES = 64 << 10   /* in one call */
};

typedef struct told {
    struct told *next;
    front_event event;
    uint8_t failure[];
} told;

struct front {
    front_settings settings;
    front_counts counts;
    uint8_t stats[DIGITS_STATS_REPLY];
    float table[256];
    uint64_t bounds[FRONT_BUCKETS - 1];
    int accepting, finishing, reachable;
    int clients; /* epoll: the listening socket and all connections */
    int epoll;   /* what the caller watches: `clients`, unless `deferred`, `timer`, and the sessions' answers */
    int timer;   /* timerfd: when clients are looked at again, while they are not watched */
    int deferred;
    uint64_t next; /* when that is, in ns */

    connection **places; /* by their numbers; NULL where nobody is */
    uint32_t *free_places;
    uint32_t place_count, free_count, generation;
    connection *first;
    connection *ended; /* those that have gone in this call */

    queue queue;
    lane *lanes;
    uint32_t lane_count;
    uint64_t sample_ns; /* of late; 0 if unknown */

    told *first_told, *last_told, *taken; /* events */

    struct epoll_event events[MOST_EVENTS];
    uint8_t space[READ_BYTES + DIGITS_LIMIT], out[SENT_BYTES];
};

/* In the data of `clients`: a connection's place and generation, of which the first is not the listening socket's. */
enum { GENERATION_LISTENER = 0, GENERATION_FIRST = 1 };
/* In the data of `epoll`: a lane's number, or one of these. */
enum { WATCHED_CLIENTS = -1, WATCHED_TIMER = -2 };

/* state.c

 * Calls go one way: front.c and sessions.c call answers.c, which calls dispatch.c; that, and accept.c, call
 * connections.c, which calls requests.c; and all of them may call tell.c and this one. */

uint64_t state_now(void);
uint64_t state_at_least(uint64_t number, uint64_t least);

/* connections.c */

/* NULL where it has gone. */
connection *connections_find(const front *f, uint32_t place, uint32_t generation);

/* What epoll knows it by. */
uint64_t connections_key(const connection *c);

/* Reads what has come of it. */
void connections_receive(front *f, connection *c, uint64_t now);
void connections_serve(front *f, connection *c, uint64_t now, uint32_t events);

/* Sends the replies whose turn it is. */
void connections_flush(front *f, connection *c, uint64_t now);
void connections_lose(front *f, connection *c);

/* Takes no more requests, and hangs up once those that came are answered. */
void connections_finish(front *f, connection *c);
void connections_forget_ended(front *f);

/* accept.c */

void accept_all(front *f, uint64_t now);

/* Whether anybody is let in from now on. */
void accept_more(front *f, int on);

/* requests.c */

/* Takes the whole requests at the start of `count` bytes. Returns how many bytes they have, or -1: what follows them is
 * no request; or -2: there is no memory. */
int32_t requests_take(front *f, connection *c, const uint8_t *bytes, uint32_t count, uint64_t now);

/* answers.c */

/* Takes what a session has answered, and sends the replies. */
void answers_take(front *f, uint32_t number);

/* dispatch.c */

/* Gives samples that wait to sessions that have nothing, or little, to do. */
void dispatch_all(front *f);

/* Whether all sessions have something to do, and for how long about, in ns. */
uint64_t dispatch_busy(const front *f);

/* Runs a batch once more: each sample by itself, where one of them may be at fault. */
void dispatch_again(front *f, const batch *b, int at_fault);

/* The sample gets no reply; its connection ends when it is its turn. */
void dispatch_no_reply(front *f, sample *s, uint64_t now);

/* tell.c */

/* `failure` may be NULL. */
void tell(front *f, const front_event *event, const uint8_t *failure);
void tell_kind(front *f, uint32_t kind, uint32_t session, uint64_t handler_ns);
void tell_nothing_more(front *f);

/* Counts a request that was answered. */
void tell_answered(front *f, uint64_t answered_ns, uint64_t handler_ns, uint64_t queue_ns, uint64_t network_ns);

#endif
