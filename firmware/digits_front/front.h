/* A digits server's connections and the way of their samples: lets clients in, reads requests, makes a network's inputs
 * of them, gives these in batches to sessions of the network (other processes, through memory that is shared with them:
 * src/edgerig/wire/ring.py), and sends replies in the order of the requests. Everything is called from one thread, and
 * nothing waits. Times are in ns by CLOCK_MONOTONIC, which is Python's time.perf_counter_ns too. */
#ifndef FRONT_H
#define FRONT_H

#include <stdint.h>

enum { FRONT_BUCKETS = 17 };

/* What a network takes: real numbers as they come, or integers q = round(x / scale) + zero_point, from `least` to
 * `most`, in a byte each. */
typedef struct front_input {
    int32_t integers;
    float scale;
    int32_t zero_point, least, most;
} front_input;

typedef struct front_settings {
    front_input input;
    int32_t listener;       /* a socket that listens and does not block; it stays the caller's */
    const float *table;     /* the real numbers of an output's 256 bytes; NULL where outputs are floats */
    const uint8_t *stats;   /* 48 bytes: the reply to requests for statistics */
    uint32_t queue;         /* samples that may wait */
    uint32_t batch;         /* samples of a batch at most */
    uint64_t batch_ns;      /* and how long it may take */
    uint64_t worth_ns;      /* how long a batch should take at least, where enough wait */
    uint32_t logs;          /* whether there is an event for each reply */
    const uint64_t *bounds; /* upper bounds of FRONT_BUCKETS - 1 buckets, in ns */
} front_settings;

/* A session's ring: of its first slot where the head, times, the samples and the outputs lie. */
typedef struct front_ring {
    uint8_t *head, *times, *inputs, *outputs;
    uint64_t slot_bytes;
    uint32_t slots, rows;
    int32_t requests, answers; /* counters, `eventfd` */
} front_ring;

/* Kept up to date for whoever looks at them. */
typedef struct front_counts {
    uint32_t connections;
    uint32_t exhausted; /* nobody is let in: this process has no descriptor or memory left */
    uint32_t waiting;   /* samples without a session */
    uint32_t running;   /* samples that sessions have */
    uint32_t events;    /* that wait to be taken */
    uint32_t unused;
    /* Sums over requests that were answered. */
    uint64_t requests, handler_ns, queue_ns, network_ns;
    uint64_t handler[FRONT_BUCKETS], queue[FRONT_BUCKETS], network[FRONT_BUCKETS];
    /* What sessions ran, and making inputs and replies took. */
    uint64_t executions, executed_ns, input_ns, output_ns;
    uint64_t last_ns; /* when the last request was answered */
} front_counts;

enum front_event_kind {
    FRONT_NOTHING,
    FRONT_ANSWERED,   /* only where `logs` is set */
    FRONT_REFUSED,    /* what came is no request */
    FRONT_UNFINISHED, /* an output is not finite */
    FRONT_FAILED,     /* the engine failed: it says why in `failure` */
    FRONT_OVERLOADED,
    FRONT_LOST,     /* a session was lost with it, or there is none */
    FRONT_NONSENSE, /* a session's answer cannot be: it is to be ended */
};

typedef struct front_event {
    uint32_t kind, lane;
    uint64_t handler_ns, queue_ns, network_ns;
    uint32_t length, unused;
    const uint8_t *failure; /* of `length` bytes, until the next event is taken */
} front_event;

typedef struct front front;

/* Real numbers, which may lie unaligned, as a network of integers takes them. Returns 0 if one is not finite. */
int32_t front_quantize(uint8_t *to, const uint8_t *from, uint32_t count, const front_input *input);

/* NULL where the system has no memory or descriptor for it. */
front *front_open(const front_settings *settings);

/* Readable when `front_look` has something to do. */
int front_descriptor(const front *f);
const front_counts *front_counted(const front *f);

/* Moves all that can be moved now. */
void front_look(front *f);

/* Takes the next event. */
void front_take_event(front *f, front_event *event);

/* A session answers in `ring` from now on. Returns its number, or -1 where there is no memory. */
int32_t front_attach(front *f, const front_ring *ring);

/* A session is gone: what it has answered is taken. What it ran may be its end, and is run once more by itself if there
 * was more than one sample in it; the rest waits for another one. */
void front_detach(front *f, int32_t lane);

/* Since when a session has been at what it runs; 0 if it runs nothing. */
uint64_t front_since(const front *f, int32_t lane);

/* Whether there will be sessions. Where not, what waits fails, as does what comes. */
void front_reachable(front *f, int32_t reachable);

/* Lets in those who wait, after there was no descriptor for them. */
void front_resume(front *f);

/* Hangs up on clients that have begun a request, or do not end a connection that has ended here, and do not go on for
 * `begun_ns`; on those that take none of their replies for `taking_ns`; and on those that are silent. Who takes replies
 * goes on: that is seen from one call to the next, of which there are to be several within `taking_ns`, and that must be
 * long, as a system tells of what its program has taken once that is some 64 KB. After `front_finish` it is to be called
 * now and then: it ends connections whose clients have all. */
void front_sweep(front *f, uint64_t begun_ns, uint64_t taking_ns, uint64_t idle_ns);

/* Lets in nobody any more, takes no more requests, and hangs up as soon as those that came are answered. */
void front_finish(front *f);

/* Ends all connections at once, and detaches all sessions. */
void front_close(front *f);

#endif
