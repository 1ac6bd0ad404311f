/* int8 convolution, with max pooling behind it where wanted; a dense layer over rows is one of 1x1. */
#ifndef MICRO_CONV_S8_H
#define MICRO_CONV_S8_H

#include <stddef.h>

#include "micro_scaler.h"

typedef struct micro_conv_s8 {
    int32_t height, width, depth; /* of the input */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left;                                             /* padding */
    int32_t out_width, pixels;                                     /* of the output; its height times width */
    int32_t channels;                                              /* of the output */
    int32_t pool_height, pool_width, pool_stride_y, pool_stride_x; /* out_width, pixels are then those behind it */
    int32_t length;                                                /* elements of a row of weights, padded with zeros */
    int32_t input_zero;
    micro_scaling scaling;
    int32_t apart;               /* products, a multiple of 16, that fit into the lower sum of a pair */
    const int8_t *weights;       /* channels rows of length */
    const micro_channel *scales; /* input zero point folded into the bias */
} micro_conv_s8;

/* columns: 4 * length elements, aligned to 4 bytes; zeros: kernel_width * depth, or NULL where there is no padding */
void micro_conv_s8_run(const micro_conv_s8 *p, const int8_t *x, int8_t *y, int16_t *columns, int8_t *zeros);

/* columns, zeros: likewise; best: one for each output channel */
void micro_conv_pool_s8_run(const micro_conv_s8 *p, const int8_t *x, int8_t *y, int16_t *columns, int8_t *zeros,
                            int32_t *best);

#endif
