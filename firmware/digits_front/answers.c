/* What comes back from sessions, and the replies that are made of it. */
#include <string.h>

#include "state.h"

/* The outputs of a row as real numbers. */
static void outputs_of(const front *f, float *to, const uint8_t *outputs, uint32_t row)
{
    uint32_t i;

    if (f->settings.table == NULL) {
        memcpy(to, outputs + (size_t)row * DIGITS_OUTPUTS * sizeof(float), DIGITS_OUTPUTS * sizeof(float));
        return;
    }
    for (i = 0; i < DIGITS_OUTPUTS; i++) {
        to[i] = f->table[outputs[(size_t)row * DIGITS_OUTPUTS + i]];
    }
}

/* Writes the reply to a sample. Returns 0 if there is none, as a number of it is not finite. */
static int write_reply(const front *f, connection *c, const sample *s, const lane_answer *answer, uint32_t row)
{
    reply *to = c != NULL ? connection_reply(c, s->sequence) : NULL;
    float outputs[DIGITS_OUTPUTS];
    digits_message sent;

    if (to == NULL) {
        return 1;
    }
    outputs_of(f, outputs, answer->outputs, row);
    digits_write_reply(to->bytes, outputs, (float)((double)lane_time(answer, row) * 1e-6), DIGITS_OUTPUTS);
    /* A network may make outputs that are not finite; no client would take them. */
    to->state = digits_check_reply(&sent, to->bytes, DIGITS_REPLY) == NULL ? REPLY_INFERENCE : REPLY_NONE;
    c->awaited--;
    return to->state == REPLY_INFERENCE;
}

/* Whether all times are of inferences within the time since the batch was sent. */
static int times_can_be(const batch *b, const lane_answer *answer, uint64_t now)
{
    uint64_t sum = 0;
    uint32_t row;

    for (row = 0; row < b->count; row++) {
        int64_t time = lane_time(answer, row);

        if (time <= 0 || (uint64_t)time > now - b->sent_ns) {
            return 0;
        }
        sum += (uint64_t)time;
    }
    return sum <= now - b->sent_ns;
}

static void note_time(front *f, uint64_t spent, uint32_t count)
{
    uint64_t each = state_at_least(spent / count, 1);

    f->counts.executions += count;
    f->counts.executed_ns += spent;
    f->sample_ns = f->sample_ns == 0 ? each : state_at_least((4 * f->sample_ns + each) / 5, 1);
}

/* Sends the replies to a batch. */
static void answer_batch(front *f, const batch *b, const lane_answer *answer, uint64_t now)
{
    uint8_t finished[1 << 16];
    connection *last = NULL;
    uint64_t spent = 0, done;
    uint32_t row = 0;
    sample *s, *next;

    for (s = b->first; s != NULL; s = s->next) {
        connection *c = connections_find(f, s->place, s->generation);

        finished[row] = (uint8_t)write_reply(f, c, s, answer, row);
        if (last != NULL && last != c) {
            connections_flush(f, last, now);
        }
        last = c;
        row++;
    }
    if (last != NULL) {
        connections_flush(f, last, now);
    }
    done = state_now();
    for (s = b->first, row = 0; s != NULL; s = next, row++) {
        uint64_t time = (uint64_t)lane_time(answer, row);

        next = s->next;
        spent += time;
        if (finished[row]) {
            tell_answered(f, done, done - s->entered_ns, s->sent_ns - s->entered_ns, time);
        } else {
            tell_kind(f, FRONT_UNFINISHED, 0, done - s->entered_ns);
        }
        queue_drop(&f->queue, s);
    }
    note_time(f, spent, b->count);
    f->counts.output_ns += done - now;
}

/* The engine failed of a batch. */
static void failed(front *f, const batch *b, uint32_t number, const lane_answer *answer, uint64_t now)
{
    front_event event = { .kind = FRONT_FAILED, .lane = number, .length = answer->failure };

    if (b->count > 1) {
        dispatch_again(f, b, 1);
        return;
    }
    event.handler_ns = now - b->first->entered_ns;
    tell(f, &event, answer->times);
    dispatch_no_reply(f, b->first, now);
}

void answers_take(front *f, uint32_t number)
{
    lane *l = &f->lanes[number];
    uint64_t count, now;

    if (!l->up) {
        return;
    }
    count = lane_answered(l);
    /* Behind it: a session that answered in between would tell of more time than there was. */
    now = state_now();
    for (; count != 0; count--) {
        lane_answer answer;
        batch b;

        if (l->pending == 0 || !lane_read(l, &answer) ||
            (answer.failure == 0 && !times_can_be(&l->batches[0], &answer, now))) {
            /* What it has stays there until it is detached. */
            l->up = 0;
            tell_kind(f, FRONT_NONSENSE, number, 0);
            return;
        }
        b = lane_take(l, now);
        f->counts.running -= b.count;
        if (answer.failure != 0) {
            failed(f, &b, number, &answer, now);
        } else {
            answer_batch(f, &b, &answer, now);
        }
    }
}
