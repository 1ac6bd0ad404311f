/* A session's ring, as its host uses it: src/edgerig/wire/ring.py. */
#ifndef LANE_H
#define LANE_H

#include "front.h"
#include "queue.h"

/* Batches that a session has at once: one that runs, and one that waits so that there is no gap. */
enum { LANE_BATCHES = 2 };

typedef struct batch {
    sample *first;
    uint32_t count;
    uint64_t sent_ns;
} batch;

typedef struct lane {
    int up;
    front_ring ring;
    uint64_t number; /* of the last request */
    uint32_t pending;
    batch batches[LANE_BATCHES]; /* the oldest first */
    uint64_t since_ns;           /* when the oldest began */
} lane;

/* What a slot says. */
typedef struct lane_answer {
    uint32_t failure; /* bytes of it at `times`; 0 where the outputs are there */
    const uint8_t *times, *outputs;
} lane_answer;

/* Writes the samples `first` and those behind it, `count` in all. Returns 0 if the session cannot be told. */
int lane_send(lane *l, sample *first, uint32_t count, size_t row_bytes, uint64_t now);

/* How many batches are answered and not taken. */
uint64_t lane_answered(lane *l);

/* What has become of the oldest batch. Returns 0 if it cannot be. */
int lane_read(const lane *l, lane_answer *answer);

/* Takes the oldest batch. */
batch lane_take(lane *l, uint64_t now);

/* Whether the oldest batch is begun. */
int lane_has_begun(const lane *l);

int64_t lane_time(const lane_answer *answer, uint32_t row);

#endif
