/* int8 convolutions and dense layers for RISC-V with multiplication: four channels by four pixels in registers. */
#ifndef ER_RV_CONV_H
#define ER_RV_CONV_H

#include "er_sc_scale.h"

/*
 * weights: by blocks of four channels, of each input those of the four together; the last block filled up with zeros.
 * length: inputs that a pixel sees, which lie one after the other.
 */
typedef struct er_rv_conv {
    const int8_t *weights;
    const er_sc_channel *scales;
    int32_t channels, length;
    er_sc_range range;
} er_rv_conv;

/* Outputs of `pixels` pixels, whose inputs follow one another. */
typedef void er_rv_conv_run(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels);

void er_rv_conv_once(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels);
void er_rv_conv_twice(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels);

/* One pixel: the greatest of each channel's sums over `pixels` of them, a multiple of four. */
void er_rv_greatest_once(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels);
void er_rv_greatest_twice(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels);

typedef struct er_rv_window {
    er_rv_conv conv;
    er_rv_conv_run *run;
    int32_t height, width, depth, kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int32_t out_width, pixels, input_zero;
} er_rv_window;

typedef struct er_rv_pool {
    int32_t height, width, stride_y, stride_x;
} er_rv_pool;

/* A convolution whose windows are copied, four at a time, to `columns`. */
void er_rv_window_layer(const er_rv_window *w, const int8_t *x, int8_t *y, int8_t *columns);
/* Likewise, and a maximum of windows of pixels that do not overlap, which are filled up to four or a multiple. */
void er_rv_pool_layer(const er_rv_window *w, const er_rv_pool *pool, const int8_t *x, int8_t *y, int8_t *columns);

#endif
