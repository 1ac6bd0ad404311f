/* Scaling of sums of 64 bits, as TensorFlow Lite's kernels for activations of 16 bits define it: one rounding, halves up. */
#ifndef MICRO_SCALE_S16_H
#define MICRO_SCALE_S16_H

#include <stdint.h>

typedef struct micro_shift_s16 {
    int32_t multiplier, shift; /* to the right */
} micro_shift_s16;

/* The product of sum and multiplier may have more than 64 bits: its upper part, and what the lower carries over. */
static inline int32_t micro_scale_wide(int64_t sum, micro_shift_s16 scale)
{
    int64_t half = (int64_t)1 << (scale.shift - 1);
    if (scale.multiplier <= INT16_MAX)
        return (int32_t)((sum * scale.multiplier + half) >> scale.shift);
    return (int32_t)(((sum >> 16) * scale.multiplier + (((sum & 0xffff) * scale.multiplier + half) >> 16)) >>
                     (scale.shift - 16));
}

#endif
