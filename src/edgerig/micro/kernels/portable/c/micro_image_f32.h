/* float depthwise and transposed convolution, pooling, resizing. */
#ifndef MICRO_IMAGE_F32_H
#define MICRO_IMAGE_F32_H

#include <stdint.h>

typedef struct micro_image_f32 {
    int32_t height, width, depth;        /* of the input */
    int32_t kernel_height, kernel_width; /* or window */
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left; /* padding; what a transposed convolution is cropped by */
    int32_t out_height, out_width, channels;
    float low, high;
    const float *weights; /* depthwise: kernel, channels; transposed: kernel, channels, depth */
    const float *bias;
} micro_image_f32;

typedef struct micro_tap_f32 {
    int32_t lower, upper;
    float weight; /* of the upper one */
} micro_tap_f32;

void micro_depthwise_f32_run(const micro_image_f32 *p, const float *x, float *y);
void micro_transpose_conv_f32_run(const micro_image_f32 *p, const float *x, float *y);
void micro_max_pool_f32_run(const micro_image_f32 *p, const float *x, float *y);
void micro_average_pool_f32_run(const micro_image_f32 *p, const float *x, float *y);
void micro_resize_f32_run(const micro_image_f32 *p, const micro_tap_f32 *rows, const micro_tap_f32 *columns,
                          const float *x, float *y);

#endif
