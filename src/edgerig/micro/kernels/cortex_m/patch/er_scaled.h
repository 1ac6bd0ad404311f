/* Requantization as LiteRT's reference kernels define it, for any scale. */
#ifndef ER_SCALED_H
#define ER_SCALED_H

#include <stdint.h>

/* One rounding, in 64 bits, as dense layers have it. A positive exponent is a shift to the left. */
static inline int32_t er_scaled_once(int32_t sum, int32_t multiplier, int32_t exponent)
{
    const int32_t shift = 31 - exponent;
    return (int32_t)(((int64_t)sum * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}

/* Two roundings, as convolutions have them; sums shifted to the left must fit into 32 bits. */
static inline int32_t er_scaled_twice(int32_t sum, int32_t multiplier, int32_t exponent)
{
    const int32_t left = exponent > 0 ? exponent : 0, right = left - exponent;
    const int64_t product = (int64_t)(sum * ((int32_t)1 << left)) * multiplier;
    const int64_t nudge = product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30);
    const int32_t high = (int32_t)((product + nudge) / ((int64_t)1 << 31));
    const int32_t mask = (int32_t)(((uint32_t)1 << right) - 1), rest = high & mask;
    return (high >> right) + (rest > (mask >> 1) + (high < 0));
}

static inline int8_t er_limited(int32_t value, int32_t low, int32_t high)
{
    return (int8_t)(value < low ? low : value > high ? high : value);
}

#endif
