/* int8 convolutions and dense layers, 16 output channels side by side. */
#ifndef ER_SIMD_CONV_S8_H
#define ER_SIMD_CONV_S8_H

#include "er_shapes.h"

typedef struct er_simd_conv_s8 {
    er_image image;
    int32_t stride_y, stride_x;
    int32_t out_width, pixels, channels;
    int32_t steps; /* of four weights each */
    int32_t input_zero, output_zero, low, high;
    int32_t once;           /* one rounding */
    const int32_t *offsets; /* of each step's inputs, from the first one that a window sees */
    const int8_t *weights;  /* blocks of ER_BLOCK channels: steps, channels, four */
    const er_scales *scales;
} er_simd_conv_s8;

/* padded: the image with its borders, and 64 bytes */
void er_simd_conv_s8_run(const er_simd_conv_s8 *p, const int8_t *x, int8_t *y, int8_t *padded);

#endif
