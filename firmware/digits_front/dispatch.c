/* The way of samples to sessions, and what becomes of them where these come and go. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "state.h"

/* ---- to sessions */

/* The session with the least to do, of those that are there; NULL if all have enough. */
static lane *idlest(const front *f)
{
    lane *best = NULL;
    uint32_t i;

    for (i = 0; i < f->lane_count; i++) {
        lane *l = &f->lanes[i];

        if (l->up && l->pending < LANE_BATCHES && (best == NULL || l->pending < best->pending)) {
            best = l;
        }
    }
    return best;
}

static uint32_t live(const front *f)
{
    uint32_t count = 0, i;

    for (i = 0; i < f->lane_count; i++) {
        count += f->lanes[i].up != 0;
    }
    return count != 0 ? count : 1;
}

/* How many samples the next batch has at most: as many as each session would have, unless they take so little time that
 * a batch more costs more than it saves. One, as long as it is not known how long a sample takes. */
static uint32_t largest(const front *f, const lane *l)
{
    uint64_t each = (f->queue.count + live(f) - 1) / live(f), limit = 1;

    if (f->sample_ns != 0) {
        limit = state_at_least(state_at_least(each, f->settings.worth_ns / f->sample_ns), 1);
        each = state_at_least(f->settings.batch_ns / f->sample_ns, 1);
        limit = limit > each ? each : limit;
    }
    limit = limit > f->settings.batch ? f->settings.batch : limit;
    return (uint32_t)(limit > l->ring.rows ? l->ring.rows : limit);
}

/* Whether there is enough for a batch behind one that runs: what comes meanwhile is run together, which costs less. */
static int worth_waiting(const front *f)
{
    return f->sample_ns == 0 || f->queue.count >= f->settings.batch ||
           f->queue.count * f->sample_ns * 2 >= f->settings.worth_ns;
}

/* Whether nobody waits for it any more. */
static int abandoned(const front *f, const sample *s)
{
    const connection *c = connections_find(f, s->place, s->generation);

    return c == NULL || s->sequence - c->first >= c->count;
}

static sample *next_batch(front *f, uint32_t limit, uint32_t *count)
{
    sample *first = NULL, *last = NULL;

    *count = 0;
    while (f->queue.first != NULL && *count < limit) {
        sample *s = f->queue.first;

        if (first != NULL && (first->alone || s->alone)) {
            break;
        }
        queue_take(&f->queue);
        if (abandoned(f, s)) {
            queue_drop(&f->queue, s);
            continue;
        }
        if (last != NULL) {
            last->next = s;
        } else {
            first = s;
        }
        last = s;
        (*count)++;
    }
    return first;
}

void dispatch_all(front *f)
{
    while (f->queue.count != 0) {
        lane *l = idlest(f);
        sample *first;
        uint32_t count;

        if (l == NULL || (l->pending != 0 && !worth_waiting(f))) {
            break;
        }
        first = next_batch(f, largest(f, l), &count);
        if (first != NULL) {
            f->counts.running += count;
            lane_send(l, first, count, f->queue.row_bytes, state_now());
        }
    }
    f->counts.waiting = f->queue.count;
}

uint64_t dispatch_busy(const front *f)
{
    uint64_t least = 0;
    uint32_t i;

    for (i = 0; i < f->lane_count; i++) {
        const lane *l = &f->lanes[i];
        uint64_t left = l->pending != 0 ? l->batches[0].count * f->sample_ns : 0;

        if (l->up && left == 0) {
            return 0;
        }
        least = l->up && (least == 0 || left < least) ? left : least;
    }
    return least;
}

void dispatch_again(front *f, const batch *b, int at_fault)
{
    sample *s = b->first, *next, *reversed = NULL;

    for (; s != NULL; s = next) {
        next = s->next;
        s->next = reversed;
        reversed = s;
    }
    for (s = reversed; s != NULL; s = next) {
        next = s->next;
        s->alone |= at_fault != 0;
        queue_prepend(&f->queue, s);
    }
}

void dispatch_no_reply(front *f, sample *s, uint64_t now)
{
    connection *c = connections_find(f, s->place, s->generation);
    reply *to = c != NULL ? connection_reply(c, s->sequence) : NULL;

    if (to != NULL) {
        to->state = REPLY_NONE;
        c->awaited--;
        connections_flush(f, c, now);
    }
    queue_drop(&f->queue, s);
}

static void fail(front *f, sample *s, uint32_t kind, uint64_t now)
{
    tell_kind(f, kind, 0, now - s->entered_ns);
    dispatch_no_reply(f, s, now);
}

/* ---- sessions come and go */

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
