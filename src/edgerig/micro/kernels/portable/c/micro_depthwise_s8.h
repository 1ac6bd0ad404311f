/* int8 depthwise convolution. */
#ifndef MICRO_DEPTHWISE_S8_H
#define MICRO_DEPTHWISE_S8_H

#include <stddef.h>

#include "micro_requantize.h"

/* The most channels whose windows are copied at once where some of them lie in the padding. */
#define MICRO_DEPTHWISE_GROUP 16

typedef struct micro_depthwise_s8 {
    int32_t height, width, depth; /* of the input */
    int32_t multiplier;           /* output channels for each input channel */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left; /* padding */
    int32_t out_height, out_width;
    int32_t input_zero, output_zero, low, high;
    int32_t group;               /* channels that are copied at once, at most MICRO_DEPTHWISE_GROUP */
    int32_t doubles;             /* two roundings, exponents and sums that `micro_scale_sums` takes */
    const int8_t *weights;       /* kernel_height, kernel_width, depth * multiplier */
    const micro_channel *scales; /* input zero point folded into the bias */
} micro_depthwise_s8;

/*
 * Both NULL where an input channel has several output channels:
 * taps: two for each place of a window; patch: what four windows side by side see, group channels of it.
 */
void micro_depthwise_s8_run(const micro_depthwise_s8 *p, const int8_t *x, int8_t *y, int32_t *taps, int8_t *patch);

#endif
