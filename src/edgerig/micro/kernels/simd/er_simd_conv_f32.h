/* Float convolutions, dense layers and depthwise convolutions, 16 output channels side by side. */
#ifndef ER_SIMD_CONV_F32_H
#define ER_SIMD_CONV_F32_H

#include "er_shapes.h"

typedef struct er_simd_conv_f32 {
    er_image image;
    int32_t stride_y, stride_x;
    int32_t out_width, pixels, channels;
    int32_t runs, length; /* of inputs that lie one behind the other; depthwise: taps, 1 */
    float low, high;
    const int32_t *offsets; /* floats to the first input of each run, from the first one that a window sees */
    const float *weights;   /* blocks of ER_BLOCK channels: inputs, channels */
    const float *bias;      /* of whole blocks */
} er_simd_conv_f32;

/* padded: the image with its borders, and 64 bytes */
void er_simd_conv_f32_run(const er_simd_conv_f32 *p, const float *x, float *y, float *padded);
void er_simd_depthwise_f32_run(const er_simd_conv_f32 *p, const float *x, float *y, float *padded);

#endif
