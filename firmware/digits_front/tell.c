/* What whoever runs a front is told: sums, and events. */
#include <stdlib.h>
#include <string.h>

#include "state.h"

void tell(front *f, const front_event *event, const uint8_t *failure)
{
    told *t = malloc(sizeof *t + event->length);

    if (t == NULL) {
        return;
    }
    t->next = NULL;
    t->event = *event;
    t->event.failure = t->failure;
    if (event->length != 0) {
        memcpy(t->failure, failure, event->length);
    }
    if (f->last_told != NULL) {
        f->last_told->next = t;
    } else {
        f->first_told = t;
    }
    f->last_told = t;
    f->counts.events++;
}

void tell_kind(front *f, uint32_t kind, uint32_t session, uint64_t handler_ns)
{
    front_event event = { .kind = kind, .lane = session, .handler_ns = handler_ns };

    tell(f, &event, NULL);
}

void front_take_event(front *f, front_event *event)
{
    told *t = f->first_told;

    free(f->taken);
    f->taken = t;
    if (t == NULL) {
        *event = (front_event){ .kind = FRONT_NOTHING };
        return;
    }
    f->first_told = t->next;
    if (t->next == NULL) {
        f->last_told = NULL;
    }
    f->counts.events--;
    *event = t->event;
}

void tell_nothing_more(front *f)
{
    front_event event;

    do {
        front_take_event(f, &event);
    } while (event.kind != FRONT_NOTHING);
}

/* The first bucket whose bound it does not exceed. */
static void put(const front *f, uint64_t *buckets, uint64_t ns)
{
    uint32_t i = 0;

    while (i < FRONT_BUCKETS - 1 && ns > f->bounds[i]) {
        i++;
    }
    buckets[i]++;
}

void tell_answered(front *f, uint64_t answered_ns, uint64_t handler_ns, uint64_t queue_ns, uint64_t network_ns)
{
    front_counts *counts = &f->counts;

    counts->requests++;
    counts->last_ns = answered_ns;
    counts->handler_ns += handler_ns;
    counts->queue_ns += queue_ns;
    counts->network_ns += network_ns;
    put(f, counts->handler, handler_ns);
    put(f, counts->queue, queue_ns);
    put(f, counts->network, network_ns);
    if (f->settings.logs) {
        front_event event = { FRONT_ANSWERED, 0, handler_ns, queue_ns, network_ns, 0, 0, NULL };

        tell(f, &event, NULL);
    }
}
