#define _GNU_SOURCE
#include "lane.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { COUNT_AT = 8, FAILURE_AT = 12, BEGUN_AT = 16, FAILURE_BYTES = 16 * 1024 };

static uint64_t slot_at(const lane *l, uint64_t number)
{
    return (number - 1) % l->ring.slots * l->ring.slot_bytes;
}

static uint64_t oldest(const lane *l)
{
    return l->number - l->pending + 1;
}

int lane_send(lane *l, sample *first, uint32_t count, size_t row_bytes, uint64_t now)
{
    uint64_t number = ++l->number, at = slot_at(l, number), one = 1, nothing = 0;
    uint32_t none = 0, row = 0;
    sample *s;

    for (s = first; s != NULL; s = s->next) {
        memcpy(l->ring.inputs + at + row * row_bytes, s->row, row_bytes);
        s->sent_ns = now;
        row++;
    }
    memcpy(l->ring.head + at, &number, sizeof number);
    memcpy(l->ring.head + at + COUNT_AT, &count, sizeof count);
    memcpy(l->ring.head + at + FAILURE_AT, &none, sizeof none);
    memcpy(l->ring.head + at + BEGUN_AT, &nothing, sizeof nothing);
    if (l->pending == 0) {
        l->since_ns = now;
    }
    l->batches[l->pending++] = (batch){ first, count, now };
    return write(l->ring.requests, &one, sizeof one) == sizeof one;
}

uint64_t lane_answered(lane *l)
{
    uint64_t count;

    return read(l->ring.answers, &count, sizeof count) == sizeof count ? count : 0;
}

int lane_read(const lane *l, lane_answer *answer)
{
    uint64_t at = slot_at(l, oldest(l)), number;
    uint32_t count;

    memcpy(&number, l->ring.head + at, sizeof number);
    memcpy(&count, l->ring.head + at + COUNT_AT, sizeof count);
    memcpy(&answer->failure, l->ring.head + at + FAILURE_AT, sizeof answer->failure);
    answer->times = l->ring.times + at;
    answer->outputs = l->ring.outputs + at;
    return number == oldest(l) && count == l->batches[0].count && answer->failure <= FAILURE_BYTES;
}

batch lane_take(lane *l, uint64_t now)
{
    batch taken = l->batches[0];

    l->pending--;
    memmove(l->batches, l->batches + 1, l->pending * sizeof *l->batches);
    l->since_ns = now;
    return taken;
}

int lane_has_begun(const lane *l)
{
    uint64_t begun;

    memcpy(&begun, l->ring.head + slot_at(l, oldest(l)) + BEGUN_AT, sizeof begun);
    return begun == oldest(l);
}

int64_t lane_time(const lane_answer *answer, uint32_t row)
{
    int64_t time;

    memcpy(&time, answer->times + row * sizeof time, sizeof time);
    return time;
}
