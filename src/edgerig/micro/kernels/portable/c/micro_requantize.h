/*
 * Integer scaling of quantized networks, as TensorFlow Lite's reference kernels define it.
 * A scale is multiplier * 2^(exponent - 31); multipliers are at least 0, exponents at most 30.
 */
#ifndef MICRO_REQUANTIZE_H
#define MICRO_REQUANTIZE_H

#include <stdint.h>

/* x * y / 2^31 as gemmlowp's doubling high multiply: it adds 2^30 (1 - 2^30 to products below 0) and truncates towards
 * zero, which is the same as adding 2^30 and rounding down. */
static inline int32_t micro_doubling_high(int32_t x, int32_t y)
{
    return (int32_t)(((int64_t)x * y + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^shift, halves away from zero; shift from 0 to 31. */
static inline int32_t micro_divide_by_power(int32_t x, int32_t shift)
{
    int64_t half = ((int64_t)1 << shift) >> 1;
    return (int32_t)((x + half - (x < 0 && half ? 1 : 0)) >> shift);
}

/* Shift left as two's complement does, without overflow in the language's sense. */
static inline int32_t micro_shift_left(int32_t x, int32_t shift)
{
    return (int32_t)((uint32_t)x << shift);
}

/* Two roundings: of the high multiply and of the shift. */
static inline int32_t micro_scale_twice(int32_t x, int32_t multiplier, int32_t exponent)
{
    int32_t left = exponent > 0 ? exponent : 0;
    int32_t right = exponent > 0 ? 0 : -exponent;
    return micro_divide_by_power(micro_doubling_high(micro_shift_left(x, left), multiplier), right);
}

/* One rounding, halves up. */
static inline int32_t micro_scale_once(int32_t x, int32_t multiplier, int32_t exponent)
{
    int32_t shift = 31 - exponent;
    return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}

static inline int32_t micro_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* What one output channel adds to its sum, and how the sum is scaled. */
typedef struct micro_channel {
    int32_t bias;
    int32_t multiplier;
    int32_t exponent;
} micro_channel;

#endif
