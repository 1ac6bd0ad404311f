/* int8 depthwise convolution. */
#ifndef MICRO_DEPTHWISE_S8_H
#define MICRO_DEPTHWISE_S8_H

#include "micro_requantize.h"

typedef struct micro_depthwise_s8 {
    int32_t height, width, depth; /* of the input */
    int32_t multiplier;           /* output channels for each input channel */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left; /* padding */
    int32_t out_height, out_width;
    int32_t input_zero, output_zero, low, high;
    const int8_t *weights;       /* kernel_height, kernel_width, depth * multiplier */
    const micro_channel *scales; /* plain bias */
} micro_depthwise_s8;

void micro_depthwise_s8_run(const micro_depthwise_s8 *p, const int8_t *x, int8_t *y);

#endif
