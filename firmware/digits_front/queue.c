#include "queue.h"

#include <stdlib.h>

/* Samples of a burst are not kept for ever. */
enum { MOST_SPARE = 1024 };

sample *queue_new(queue *q)
{
    sample *s = q->spare;

    if (s == NULL) {
        s = malloc(sizeof *s + q->row_bytes);
    } else {
        q->spare = s->next;
        q->spare_count--;
    }
    if (s != NULL) {
        s->next = NULL;
        s->alone = 0;
    }
    return s;
}

void queue_append(queue *q, sample *s)
{
    s->next = NULL;
    if (q->last != NULL) {
        q->last->next = s;
    } else {
        q->first = s;
    }
    q->last = s;
    q->count++;
}

void queue_prepend(queue *q, sample *s)
{
    s->next = q->first;
    q->first = s;
    if (q->last == NULL) {
        q->last = s;
    }
    q->count++;
}

sample *queue_take(queue *q)
{
    sample *s = q->first;

    if (s != NULL) {
        q->first = s->next;
        if (q->first == NULL) {
            q->last = NULL;
        }
        s->next = NULL;
        q->count--;
    }
    return s;
}

void queue_drop(queue *q, sample *s)
{
    if (q->spare_count >= MOST_SPARE) {
        free(s);
        return;
    }
    s->next = q->spare;
    q->spare = s;
    q->spare_count++;
}

void queue_free(queue *q)
{
    sample *s;

    while ((s = queue_take(q)) != NULL) {
        free(s);
    }
    while ((s = q->spare) != NULL) {
        q->spare = s->next;
        free(s);
    }
}
