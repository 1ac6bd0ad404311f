/* From sums to int8 on processors without SIMD: by one rounding where the compiler has proved that it is exact, else by
 * both of LiteRT's reference kernels. */
#ifndef ER_SC_SCALE_H
#define ER_SC_SCALE_H

#include <stdint.h>

/*
 * One rounding:  ((sum * 2^left + start) * multiplier / 2^32 + addend) / 2^shift
 * Two roundings: start is twice the bias, left is 1; addend is half of 2^shift, 0 where shift is, else it is 1 less for
 *                results below 0.
 * In pieces:     ((sum + start) * multiplier + addend) / 2^(shift + 11), where no part needs more than 32 bits; but with
 *                ER_SC_TWICE or ER_SC_ONCE added to the shift, as above.
 */
typedef struct er_sc_channel {
    int32_t start, multiplier, addend, shift;
} er_sc_channel;

typedef struct er_sc_range {
    int32_t left, zero_point, low, high;
} er_sc_range;

enum { ER_SC_TWICE = 32, ER_SC_ONCE = 64, ER_SC_SHIFT = 31 };

/* Scales `count` sums of one channel, one or more; outputs lie `step` apart. */
typedef void er_sc_scale(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count,
                         int8_t *y, int32_t step);

er_sc_scale er_sc_scale_once, er_sc_scale_twice, er_sc_scale_pieces;
/* What er_sc_scale_pieces leaves to others. */
er_sc_scale er_sc_scale_long;

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
/* The upper word of a product where only the lower one is to be had: of four products of 16 by 16 bits. */
static inline int32_t er_sc_high(int32_t a, int32_t b)
{
    const uint32_t low_a = (uint32_t)a & 0xffffu, low_b = (uint32_t)b & 0xffffu;
    const int32_t high_a = a >> 16, high_b = b >> 16;
    const int32_t middle = (int32_t)low_a * high_b + (int32_t)(low_a * low_b >> 16);
    const int32_t other = high_a * (int32_t)low_b + (middle & 0xffff);
    return high_a * high_b + (middle >> 16) + (other >> 16);
}
#else
static inline int32_t er_sc_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b) >> 32);
}
#endif

static inline int8_t er_sc_limited(int32_t value, const er_sc_range *range)
{
    value = value < range->low ? range->low : value;
    return (int8_t)(value > range->high ? range->high : value);
}

static inline int32_t er_sc_started(int32_t sum, const er_sc_channel *channel, const er_sc_range *range)
{
    return (int32_t)(((uint32_t)sum << range->left) + (uint32_t)channel->start);
}

static inline int8_t er_sc_once(int32_t sum, const er_sc_channel *channel, const er_sc_range *range)
{
    const int32_t high = er_sc_high(er_sc_started(sum, channel, range), channel->multiplier);
    return er_sc_limited((high + channel->addend) >> channel->shift, range);
}

static inline int8_t er_sc_twice(int32_t sum, const er_sc_channel *channel, const er_sc_range *range)
{
    const int32_t start = er_sc_started(sum, channel, range), mask = -(int32_t)(channel->addend != 0);
    const uint32_t low = (uint32_t)start * (uint32_t)channel->multiplier;
    const int32_t high = er_sc_high(start, channel->multiplier) + (int32_t)(low >> 31);
    const int32_t scaled = (high + channel->addend + ((high & mask) >> 31)) >> channel->shift;
    return er_sc_limited(scaled + range->zero_point, range);
}

typedef int8_t er_sc_scale_one(int32_t sum, const er_sc_channel *channel, const er_sc_range *range);

/* An er_sc_scale by one of both. Parameters are copied, since outputs might lie over them for all a compiler knows. */
static inline __attribute__((always_inline)) void er_sc_scale_each(const er_sc_channel *channel,
                                                                   const er_sc_range *range, const int32_t *sums,
                                                                   int32_t count, int8_t *y, int32_t step,
                                                                   er_sc_scale_one *scale)
{
    const er_sc_channel own = *channel;
    const er_sc_range limits = *range;
    for (; count > 0; count--, y += step)
        *y = scale(*sums++, &own, &limits);
}

#endif
