/* Sessions come and go, and with them what they have. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "state.h"

/* The sample's request stays without a reply, which is told. */
static void fail(front *f, sample *s, uint32_t kind, uint64_t now)
{
    tell_kind(f, kind, 0, now - s->entered_ns);
    dispatch_no_reply(f, s, now);
}

int32_t front_attach(front *f, const front_ring *ring)
{
    struct epoll_event event = { .events = EPOLLIN };
    uint32_t number = 0;
    lane *lanes;

    while (number < f->lane_count && f->lanes[number].ring.slots != 0) {
        number++;
    }
    if (number == f->lane_count) {
        lanes = realloc(f->lanes, (number + 1) * sizeof *lanes);
        if (lanes == NULL) {
            return -1;
        }
        f->lanes = lanes;
        f->lane_count++;
    }
    f->lanes[number] = (lane){ .up = 1, .ring = *ring };
    event.data.u64 = number;
    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, ring->answers, &event) != 0) {
        f->lanes[number].ring.slots = 0;
        f->lanes[number].up = 0;
        return -1;
    }
    f->reachable = 1;
    dispatch_all(f);
    return (int32_t)number;
}

void front_detach(front *f, int32_t number)
{
    lane *l = &f->lanes[number];
    uint64_t now;
    int begun;

    answers_take(f, (uint32_t)number);
    now = state_now();
    epoll_ctl(f->epoll, EPOLL_CTL_DEL, l->ring.answers, NULL);
    l->up = 0;
    begun = l->pending != 0 && lane_has_begun(l);
    /* The newest first: the oldest is the next to be run. */
    while (l->pending != 0) {
        batch b = l->batches[--l->pending];

        f->counts.running -= b.count;
        if (l->pending == 0 && begun && b.count == 1) {
            fail(f, b.first, FRONT_LOST, now);
        } else {
            dispatch_again(f, &b, l->pending == 0 && begun);
        }
    }
    l->ring.slots = 0;
    dispatch_all(f);
    connections_forget_ended(f);
}

uint64_t front_since(const front *f, int32_t number)
{
    return f->lanes[number].pending != 0 ? f->lanes[number].since_ns : 0;
}

void front_reachable(front *f, int32_t reachable)
{
    uint64_t now = state_now();
    sample *s;

    f->reachable = reachable;
    while (!reachable && (s = queue_take(&f->queue)) != NULL) {
        fail(f, s, FRONT_LOST, now);
    }
    f->counts.waiting = f->queue.count;
    connections_forget_ended(f);
}
