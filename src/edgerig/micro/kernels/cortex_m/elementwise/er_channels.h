/* Sums and products of an int8 tensor and a constant for each channel, for Armv7E-M. */
#ifndef ER_CHANNELS_H
#define ER_CHANNELS_H

#include <stdint.h>

typedef struct er_sum_channels {
    const int32_t *table;    /* the tensor's side by byte, scaled and doubled */
    const int32_t *constant; /* the other side of each channel, likewise */
    int32_t multiplier, offset, shift;
    uint32_t channels;
} er_sum_channels;

typedef struct er_mul_channels {
    int32_t zero_point;
    const int32_t *constant; /* of each channel, less its zero point, doubled */
    int32_t multiplier, offset, shift;
    uint32_t channels;
} er_mul_channels;

/* t = table[x] + constant, y = ssat8((high32(t * multiplier + 2^31) + offset - (t < 0)) >> shift); y may be x. */
void er_sum_channels_s8(const er_sum_channels *sum, const int8_t *x, int8_t *y, uint32_t pixels);

/* The same with t = (x - zero_point) * constant. */
void er_mul_channels_s8(const er_mul_channels *mul, const int8_t *x, int8_t *y, uint32_t pixels);

#endif
