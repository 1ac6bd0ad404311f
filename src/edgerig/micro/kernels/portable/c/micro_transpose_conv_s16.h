/* Transposed convolution with activations of 16 bits and weights of 8. */
#ifndef MICRO_TRANSPOSE_CONV_S16_H
#define MICRO_TRANSPOSE_CONV_S16_H

#include "micro_requantize.h"
#include "micro_scale_s16.h"

typedef struct micro_transpose_conv_s16 {
    int32_t height, width, depth;
    int32_t kernel_height, kernel_width, stride_y, stride_x;
    int32_t top, left; /* cropped off the full result */
    int32_t out_height, out_width, channels;
    int32_t low, high;
    int32_t once;          /* one rounding; else two, of sums of 32 bits */
    const int8_t *weights; /* by place of the window, output channel, input channel */
    const int64_t *bias;
    const micro_shift_s16 *scales;
} micro_transpose_conv_s16;

/* sums: one for each channel. */
void micro_transpose_conv_s16_run(const micro_transpose_conv_s16 *p, const int16_t *x, int16_t *y, int64_t *sums);

#endif
