/* The way of samples to sessions: which batch goes to which of them, and when. */
#include "state.h"

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
