/* int8 depthwise convolutions, channels side by side. */
#ifndef ER_SIMD_DEPTHWISE_S8_H
#define ER_SIMD_DEPTHWISE_S8_H

#include "er_shapes.h"

typedef struct er_simd_depthwise_s8 {
    er_image image;
    int32_t stride_y, stride_x;
    int32_t out_height, out_width, channels;
    int32_t taps;
    int32_t input_zero, output_zero, low, high;
    const int32_t *offsets; /* of each tap's pixel, from the first one that a window sees */
    const int32_t *weights; /* blocks of ER_BLOCK channels: taps, channels */
    const er_scales *scales;
} er_simd_depthwise_s8;

/* padded: the image with its borders, and 64 bytes */
void er_simd_depthwise_s8_run(const er_simd_depthwise_s8 *p, const int8_t *x, int8_t *y, int8_t *padded);

#endif
