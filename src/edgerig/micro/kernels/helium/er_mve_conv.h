/* int8 convolutions by Helium: sums of 16 products an instruction.
 *
 * The stream holds for each four output channels the weights, 16 inputs of each channel in turn, and behind them four
 * numbers each of bias, multiplier and shift (negative: to the right). The first 16 are the first `tail` inputs, filled
 * up with zeros. Channels are filled up to fours. */
#ifndef ER_MVE_CONV_H
#define ER_MVE_CONV_H

#include "er_mve_copy.h"

#include <stdint.h>

typedef struct er_mve_conv {
    const int8_t *stream;
    int32_t channels;
    int32_t tail;   /* inputs of the first step, 1 to 16 */
    int32_t rounds; /* further steps of 16 */
    int32_t zero, low, high;
} er_mve_conv;

typedef struct er_mve_walk {
    int32_t x_step, y_step; /* bytes from one pixel to the next */
    int32_t pairs;          /* of pixels */
} er_mve_walk;

/* Pairs of pixels whose inputs lie x_step apart, one after the other. */
typedef void er_mve_conv_run(const er_mve_conv *conv, const int8_t *x, int8_t *y, const er_mve_walk *walk);

/* Rounding: of dense layers; of convolutions that end below their zero point nowhere; of all others. */
er_mve_conv_run er_mve_conv_once, er_mve_conv_floor, er_mve_conv_full;

typedef struct er_mve_window {
    er_mve_conv conv;
    er_mve_conv_run *run;
    int32_t height, width, depth; /* of the input */
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left;
    int32_t out_width, pixels;
    int32_t input_zero;
    int32_t batch; /* pixels whose windows are copied before any is written, even */
    /* Windows that begin at no less than 0 and no more than these are copied as one block. */
    int32_t last_row, last_column;
    er_mve_block inside;
} er_mve_window;

/* One pixel behind a maximum: the greatest sums of some pairs of windows that lie one after the other. */
typedef void er_mve_pool_run(const er_mve_conv *conv, const int8_t *columns, int8_t *y, int32_t pairs);

er_mve_pool_run er_mve_conv_pool_floor, er_mve_conv_pool_full;

typedef struct er_mve_pool {
    er_mve_pool_run *run;
    int32_t height, width, stride_y, stride_x;
} er_mve_pool;

/* Windows of one pixel that lie in the input one after the other. */
void er_mve_pointwise_layer(const er_mve_conv *conv, er_mve_conv_run *run, int32_t pixels, int32_t depth,
                            const int8_t *x, int8_t *y);

/* columns: batch windows */
void er_mve_window_layer(const er_mve_window *window, const int8_t *x, int8_t *y, int8_t *columns);

/* out_width and pixels of the window are those behind the maximum. columns: windows of an output, one more if odd */
void er_mve_pool_layer(const er_mve_window *window, const er_mve_pool *pool, const int8_t *x, int8_t *y,
                       int8_t *columns);

#endif
