/* Scaling of a channel's sums to int8 without branches: one multiplication in 64 bits for both of LiteRT's roundings. */
#ifndef MICRO_SCALER_H
#define MICRO_SCALER_H

#include "micro_requantize.h"

/*
 * Scales count sums of a channel and writes them step apart: as `micro_scale_twice`, for exponents from -22 to -1 and
 * sums, bias included, of less than 30 bits. Doubled sums leave the first rounding's result in the product's upper
 * word; the second one's half and the output's zero point are added there before the shift, and 1 taken off sums below
 * 0, whose halves are rounded away from zero.
 */
static inline void micro_scale_sums(const micro_channel *channel, int32_t output_zero, int32_t low, int32_t high,
                                    const int32_t *sums, int32_t count, int8_t *y, int32_t step)
{
    int32_t bias = channel->bias * 2, multiplier = channel->multiplier, shift = -channel->exponent;
    int64_t start = (int64_t)((output_zero * 2 + 1) * (1 << (shift - 1))) * ((int64_t)1 << 32) + 0x80000000;
    const int32_t *end = sums + count;
    do {
        int32_t doubled = *sums++ * 2 + bias;
        int32_t upper = (int32_t)(((int64_t)doubled * multiplier + start) >> 32);
        *y = (int8_t)micro_clamp((upper + (doubled >> 31)) >> shift, low, high);
        y += step;
    } while (sums != end);
}

#endif
