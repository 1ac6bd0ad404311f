/* int8 pooling for Armv7E-M. */
#ifndef ER_POOL_H
#define ER_POOL_H

#include <stdint.h>

typedef struct er_pool {
    int16_t height, width, depth; /* of the input; depth in whole words */
    int16_t window_height, window_width, stride_y, stride_x;
    int16_t top, left; /* padding, which does not count */
    int16_t out_height, out_width;
    int16_t low, high;
} er_pool;

/* At most 255 elements a window. */
void er_average_pool_s8(const er_pool *pool, const int8_t *in, int8_t *out);
void er_max_pool_s8(const er_pool *pool, const int8_t *in, int8_t *out);

typedef struct er_mean {
    int32_t count, depth; /* pixels, at most 255; channels, in whole words */
    int32_t count_zero;   /* count times the input's zero point */
    int32_t multiplier, shift, output_zero;
} er_mean;

/* MEAN of all pixels: the sum, doubled and multiplied high, then shifted right, with both roundings. */
void er_mean_s8(const er_mean *mean, const int8_t *in, int8_t *out);

/* The mean of each channel; planes: int8 (channels, count, filled up to 4). */
void er_average_planes_s8(const int8_t *planes, int8_t *out, uint32_t channels, int32_t count, int32_t low,
                          int32_t high);

#endif
