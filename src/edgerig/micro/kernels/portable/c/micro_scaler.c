#include "micro_scaler.h"

/* Any of them, channel by channel. */
static void scale_any(const micro_scaling *s, const micro_channel *channel, const int32_t *sums, int32_t count,
                      int8_t *y, int32_t step)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t sum = sums[i] + channel->bias;
        int32_t value = s->kind == MICRO_ONCE ? micro_scale_once(sum, channel->multiplier, channel->exponent)
                                              : micro_scale_twice(sum, channel->multiplier, channel->exponent);
        y[i * step] = (int8_t)micro_clamp(value + s->output_zero, s->low, s->high);
    }
}

/*
 * Doubled sums leave the first rounding's result in the product's upper word; the second one's half and the output's
 * zero point are added there before the shift, and 1 taken off sums below 0, whose halves are rounded away from zero.
 */
static void scale_doubled(const micro_scaling *s, const micro_channel *channel, const int32_t *sums, int32_t count,
                          int8_t *y, int32_t step)
{
    int32_t bias = channel->bias * 2, multiplier = channel->multiplier, shift = -channel->exponent;
    int64_t start = (int64_t)((s->output_zero * 2 + 1) * (1 << (shift - 1))) * ((int64_t)1 << 32) + 0x80000000;
    const int32_t *end = sums + count;
    int32_t low = s->low, high = s->high;
    do {
        int32_t doubled = *sums++ * 2 + bias;
        int32_t upper = (int32_t)(((int64_t)doubled * multiplier + start) >> 32);
        *y = (int8_t)micro_clamp((upper + (doubled >> 31)) >> shift, low, high);
        y += step;
    } while (sums != end);
}

/* What joins the roundings: added to the product of a sum, it leaves the result above `shift` bits of the upper word. */
static int64_t start_of(const micro_scaling *s, const micro_channel *channel, int32_t halves, int32_t shift)
{
    int64_t start = (int64_t)(halves * (1 << (shift - 1))) * ((int64_t)1 << 32) + s->first;
    return start + (int64_t)channel->bias * channel->multiplier;
}

/* One shift of the product, by 31 more than the exponent says. Two roundings differ from it by the sign alone. */
static void scale_joined(const micro_scaling *s, const micro_channel *channel, const int32_t *sums, int32_t count,
                         int8_t *y, int32_t step)
{
    int32_t multiplier = channel->multiplier, shift = -channel->exponent - 1, zero = s->output_zero;
    int64_t start = start_of(s, channel, 1, shift);
    const int32_t *end = sums + count;
    int32_t low = s->low, high = s->high;
    do {
        int32_t upper = (int32_t)(((int64_t)*sums++ * multiplier + start) >> 32);
        *y = (int8_t)micro_clamp((upper >> shift) + zero, low, high);
        y += step;
    } while (sums != end);
}

/* The same where all of int8 is allowed, and the zero point is in what is added. */
static inline int8_t whole(int32_t sum, int32_t multiplier, int64_t start, int32_t shift)
{
    return (int8_t)micro_clamp((int32_t)(((int64_t)sum * multiplier + start) >> 32) >> shift, INT8_MIN, INT8_MAX);
}

static void scale_whole(const micro_scaling *s, const micro_channel *channel, int32_t channels, const int32_t *sums,
                        int32_t apart, int32_t count, int8_t *y, int32_t step)
{
    const micro_channel *end = channel + channels;
    for (; channel != end; channel++, sums += apart, y++) {
        int32_t multiplier = channel->multiplier, shift = -channel->exponent - 1;
        if (shift > 21) {
            scale_joined(s, channel, sums, count, y, step);
            continue;
        }
        int64_t start = start_of(s, channel, s->output_zero * 2 + 1, shift);
        int8_t *to = y;
        if (count == 4) {
            *to = whole(sums[0], multiplier, start, shift);
            to += step;
            *to = whole(sums[1], multiplier, start, shift);
            to += step;
            *to = whole(sums[2], multiplier, start, shift);
            to[step] = whole(sums[3], multiplier, start, shift);
        } else {
            for (int32_t i = 0; i < count; i++, to += step)
                *to = whole(sums[i], multiplier, start, shift);
        }
    }
}

/* One sum of each channel. */
static void scale_ones(const micro_scaling *s, const micro_channel *channel, int32_t channels, const int32_t *sums,
                       int32_t apart, int8_t *y)
{
    const micro_channel *end = channel + channels;
    int32_t first = s->first, halves = s->output_zero * 2 + 1;
    for (; channel != end; channel++, sums += apart, y++) {
        int32_t shift = -channel->exponent - 1;
        if (shift > 21) {
            scale_joined(s, channel, sums, 1, y, 0);
            continue;
        }
        int64_t start = (int64_t)(halves * (1 << (shift - 1))) * ((int64_t)1 << 32) + first;
        *y = whole(*sums + channel->bias, channel->multiplier, start, shift);
    }
}

void micro_scale_sums(const micro_scaling *s, const micro_channel *channel, int32_t channels, const int32_t *sums,
                      int32_t apart, int32_t count, int8_t *y, int32_t step)
{
    if (s->kind == MICRO_JOINED && s->low == INT8_MIN && s->high == INT8_MAX) {
        if (count == 1)
            scale_ones(s, channel, channels, sums, apart, y);
        else
            scale_whole(s, channel, channels, sums, apart, count, y, step);
        return;
    }
    for (const micro_channel *end = channel + channels; channel != end; channel++, sums += apart, y++) {
        if (s->kind == MICRO_JOINED)
            scale_joined(s, channel, sums, count, y, step);
        else if (s->kind == MICRO_DOUBLED)
            scale_doubled(s, channel, sums, count, y, step);
        else
            scale_any(s, channel, sums, count, y, step);
    }
}
