/* Samples that wait for a session, or are with one. */
#ifndef QUEUE_H
#define QUEUE_H

#include <stddef.h>
#include <stdint.h>

typedef struct sample {
    struct sample *next;
    uint32_t place, generation, sequence; /* which connection, and which of its requests */
    uint32_t alone;                       /* shares no batch: it may be the one that a session failed of */
    uint64_t entered_ns, sent_ns;
    uint8_t row[];
} sample;

typedef struct queue {
    sample *first, *last;
    uint32_t count;
    sample *spare; /* that have been used, and will be again */
    uint32_t spare_count;
    size_t row_bytes;
} queue;

/* A sample for use; NULL if there is no memory. */
sample *queue_new(queue *q);

void queue_append(queue *q, sample *s);
void queue_prepend(queue *q, sample *s);

/* The next one; NULL if there is none. */
sample *queue_take(queue *q);

/* It is needed no more. */
void queue_drop(queue *q, sample *s);

void queue_free(queue *q);

#endif
