/* int8 transposed convolution. */
#ifndef MICRO_TRANSPOSE_CONV_S8_H
#define MICRO_TRANSPOSE_CONV_S8_H

#include "micro_requantize.h"

typedef struct micro_transpose_conv_s8 {
    int32_t height, width, depth; /* of the input */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t top, left; /* what the full result is cropped by */
    int32_t out_height, out_width, channels;
    int32_t input_zero, output_zero, low, high;
    const int8_t *weights;       /* kernel_height, kernel_width, channels, depth */
    const micro_channel *scales; /* plain bias */
} micro_transpose_conv_s8;

/* sums: one for each output channel */
void micro_transpose_conv_s8_run(const micro_transpose_conv_s8 *p, const int8_t *x, int8_t *y, int32_t *sums);

#endif
