#include "micro_scaler.h"

/* Else it keeps the limits of int8 in registers, and no longer sees that SSAT clamps to them. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__arm__) && defined(__OPTIMIZE__)
#pragma GCC optimize("no-move-loop-invariants")
#endif

/* Any of them, channel by channel. */
static void scale_any(const micro_scaling *s, const micro_channel *channel, const int32_t *sums, int32_t count,
                      int8_t *y, int32_t step)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t sum = sums[i] + channel->bias;
        int32_t value = s->first ? micro_scale_twice(sum, channel->multiplier, channel->exponent)
                                 : micro_scale_once(sum, channel->multiplier, channel->exponent);
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
    if (shift < 1 || shift > 22) {
        scale_any(s, channel, sums, count, y, step);
        return;
    }
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

/* What joins the roundings: added to a product, it leaves the result above `shift` bits of the upper word. */
static int64_t start_of(const micro_scaling *s, int32_t halves, int32_t shift)
{
    return (int64_t)(halves * (1 << (shift - 1))) * ((int64_t)1 << 32) + s->first;
}

/* One shift of the product, by 31 more than the exponent says. Two roundings differ from it by the sign alone. */
static void scale_joined(const micro_scaling *s, const micro_channel *channel, const int32_t *sums, int32_t count,
                         int8_t *y, int32_t step)
{
    int32_t bias = channel->bias, multiplier = channel->multiplier, shift = -channel->exponent - 1;
    if (shift < 1) {
        scale_any(s, channel, sums, count, y, step);
        return;
    }
    int64_t start = start_of(s, 1, shift);
    const int32_t *end = sums + count;
    int32_t zero = s->output_zero, low = s->low, high = s->high;
    do {
        int32_t upper = (int32_t)(((int64_t)(*sums++ + bias) * multiplier + start) >> 32);
        *y = (int8_t)micro_clamp((upper >> shift) + zero, low, high);
        y += step;
    } while (sums != end);
}

/* The same where all of int8 is allowed; bias and zero point may be in what is added. */
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
        if (shift < 1 || shift > 21) {
            scale_joined(s, channel, sums, count, y, step);
            continue;
        }
        int64_t start = start_of(s, s->output_zero * 2 + 1, shift) + (int64_t)channel->bias * multiplier;
        const int32_t *sum = sums, *last = sums + count;
        int8_t *to = y;
#ifdef __clang__
        if (count == 4) {
            *to = whole(sums[0], multiplier, start, shift);
            to[step] = whole(sums[1], multiplier, start, shift);
            to += 2 * step;
            *to = whole(sums[2], multiplier, start, shift);
            to[step] = whole(sums[3], multiplier, start, shift);
            continue;
        }
#endif
        do {
            *to = whole(*sum++, multiplier, start, shift);
            to += step;
        } while (sum != last);
    }
}

/* One sum of each channel. */
static void scale_ones(const micro_scaling *s, const micro_channel *channel, int32_t channels, const int32_t *sums,
                       int32_t apart, int8_t *y)
{
    const micro_channel *end = channel + channels;
    int32_t halves = s->output_zero * 2 + 1;
    for (; channel != end; channel++, sums += apart, y++) {
        int32_t shift = -channel->exponent - 1;
        if (shift < 1 || shift > 21) {
            scale_joined(s, channel, sums, 1, y, 0);
            continue;
        }
        *y = whole(*sums + channel->bias, channel->multiplier, start_of(s, halves, shift), shift);
    }
}

void micro_scale_sums(const micro_scaling *s, const micro_channel *channel, int32_t channels, const int32_t *sums,
                      int32_t apart, int32_t count, int8_t *y, int32_t step)
{
    if (s->kind == MICRO_WHOLE) {
        if (count == 1)
            scale_ones(s, channel, channels, sums, apart, y);
        else
            scale_whole(s, channel, channels, sums, apart, count, y, step);
        return;
    }
    void (*scale)(const micro_scaling *, const micro_channel *, const int32_t *, int32_t, int8_t *, int32_t) =
        s->kind == MICRO_JOINED    ? scale_joined
        : s->kind == MICRO_DOUBLED ? scale_doubled
                                   : scale_any;
    for (const micro_channel *end = channel + channels; channel != end; channel++, sums += apart, y++)
        scale(s, channel, sums, count, y, step);
}
