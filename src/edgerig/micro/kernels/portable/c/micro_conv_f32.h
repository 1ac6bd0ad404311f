/* float convolution, with max pooling behind it where wanted; dense layers are convolutions of 1x1. */
#ifndef MICRO_CONV_F32_H
#define MICRO_CONV_F32_H

#include <stdint.h>

#define MICRO_BLOCK 8

typedef struct micro_conv_f32 {
    int32_t height, width, depth;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left;
    int32_t out_width, pixels, channels; /* of the output; behind pooling if there is any */
    int32_t pool_height, pool_width, pool_stride_y, pool_stride_x;
    int32_t length; /* kernel_height * kernel_width * depth */
    float low, high;
    const float *weights; /* blocks of up to 8 channels: length times the block's channels */
    const float *bias;
} micro_conv_f32;

/* column: length elements */
void micro_conv_f32_run(const micro_conv_f32 *p, const float *x, float *y, float *column);

/* column: length elements; y holds the greatest sums meanwhile */
void micro_conv_pool_f32_run(const micro_conv_f32 *p, const float *x, float *y, float *column);

#endif
