/* Convolutions and dense layers with activations of 16 bits and weights of 8. */
#ifndef MICRO_WINDOW_S16_H
#define MICRO_WINDOW_S16_H

#include "micro_requantize.h"
#include "micro_scale_s16.h"

typedef struct micro_window_s16 {
    int32_t height, width, depth; /* of the input */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left; /* padding */
    int32_t out_height, out_width, channels;
    int32_t multiplier;   /* depthwise: output channels of each input channel; 0 where each sees all */
    int32_t tap, channel; /* weights from one place of the window, and from one output channel, to the next */
    int32_t low, high;
    int32_t once; /* one rounding; else two, of sums of 32 bits */
    const int8_t *weights;
    const int64_t *bias;
    const micro_shift_s16 *scales;
} micro_window_s16;

void micro_window_s16_run(const micro_window_s16 *p, const int16_t *x, int16_t *y);

#endif
