/* int8 convolutions and dense layers with weights of 16 and of 4 bits. */
#ifndef MICRO_WINDOW_S8_H
#define MICRO_WINDOW_S8_H

#include "micro_requantize.h"

typedef struct micro_window_s8 {
    int32_t height, width, depth; /* of the input */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left; /* padding */
    int32_t out_height, out_width, channels;
    int32_t multiplier;   /* depthwise: output channels of each input channel; 0 where each sees all */
    int32_t tap, channel; /* weights from one place of the window, and from one output channel, to the next */
    int32_t input_zero, output_zero, low, high;
    int32_t once; /* one rounding */
    const void *weights;
    const micro_channel *scales; /* plain bias */
} micro_window_s8;

/* weights: int16_t */
void micro_wide_s8_run(const micro_window_s8 *p, const int8_t *x, int8_t *y);

/* weights: uint8_t, two of 4 bits in each, the first in the lower half */
void micro_packed_s8_run(const micro_window_s8 *p, const int8_t *x, int8_t *y);

#endif
