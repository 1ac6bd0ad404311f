/* int8 depthwise convolution. */
#ifndef MICRO_DEPTHWISE_S8_H
#define MICRO_DEPTHWISE_S8_H

#include <stddef.h>

#include "micro_scaler.h"

/* Output pixels side by side whose windows are read together. */
#define MICRO_DEPTHWISE_TILE 4

typedef struct micro_depthwise_s8 {
    int32_t height, width, depth; /* of the input */
    int32_t multiplier;           /* output channels for each input channel */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left; /* padding */
    int32_t out_height, out_width;
    int32_t columns; /* of the input that the windows of a tile see */
    int32_t input_zero;
    int32_t backward; /* from the last tile of the last row to the first, else from there on */
    micro_scaling scaling;
    const int8_t *weights;       /* kernel_height, kernel_width, depth * multiplier */
    const micro_channel *scales; /* input zero point folded into the bias */
} micro_depthwise_s8;

/*
 * Both NULL where an input channel has several output channels:
 * places: kernel_height * columns of them; zeros: depth elements.
 * Of up to MICRO_DEPTHWISE_TILE pixels of a row channel after channel is read, and then written.
 */
void micro_depthwise_s8_run(const micro_depthwise_s8 *p, const int8_t *x, int8_t *y, const int8_t **places,
                            int8_t *zeros);

#endif
