/* From sums to int8 with RISC-V's MULH: by one rounding where the compiler has proved that it is exact, else by both of
 * LiteRT's reference kernels. */
#ifndef ER_RV_SCALE_H
#define ER_RV_SCALE_H

#include <stdint.h>

/*
 * One rounding:  ((sum * 2^left + start) * multiplier / 2^32 + addend) / 2^shift
 * Two roundings: start is twice the bias, left is 1; addend is half of 2^shift, and 1 less for results below 0 where
 *                mask is -1, which it is unless shift is 0.
 */
typedef struct er_rv_channel {
    int32_t start, multiplier, addend, shift, mask;
} er_rv_channel;

typedef struct er_rv_range {
    int32_t left, zero_point, low, high;
} er_rv_range;

static inline int32_t er_rv_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b) >> 32);
}

static inline int8_t er_rv_limited(int32_t value, const er_rv_range *range)
{
    value = value < range->low ? range->low : value;
    return (int8_t)(value > range->high ? range->high : value);
}

static inline int32_t er_rv_started(int32_t sum, const er_rv_channel *channel, const er_rv_range *range)
{
    return (int32_t)(((uint32_t)sum << range->left) + (uint32_t)channel->start);
}

static inline int8_t er_rv_once(int32_t sum, const er_rv_channel *channel, const er_rv_range *range)
{
    const int32_t high = er_rv_high(er_rv_started(sum, channel, range), channel->multiplier);
    return er_rv_limited((high + channel->addend) >> channel->shift, range);
}

static inline int8_t er_rv_twice(int32_t sum, const er_rv_channel *channel, const er_rv_range *range)
{
    const int32_t start = er_rv_started(sum, channel, range);
    const uint32_t low = (uint32_t)start * (uint32_t)channel->multiplier;
    const int32_t high = er_rv_high(start, channel->multiplier) + (int32_t)(low >> 31);
    const int32_t scaled = (high + channel->addend + ((high & channel->mask) >> 31)) >> channel->shift;
    return er_rv_limited(scaled + range->zero_point, range);
}

#endif
