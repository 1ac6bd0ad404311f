/* int8 convolutions for processors without SIMD: two pixels share a register, x0 + x1 * 2^16, so that one product makes
 * two of them. */
#ifndef ER_SC_PAIRS_H
#define ER_SC_PAIRS_H

#include "er_sc_scale.h"

/*
 * Sums of four pixels by one channel's weights. pairs: of each input two words, of pixels 0 and 1 and of 2 and 3.
 * length: a multiple of 4, with er_sc_dot_3 and er_sc_dot_8 of 8. The name says of how many products in a row no sum
 * leaves 16 bits: after so many the pairs are told apart. er_sc_dot_3: after 3, 6 and 8 of 8.
 */
typedef void er_sc_dot(const int8_t *weights, const int32_t *pairs, int32_t length, int32_t *sums);

er_sc_dot er_sc_dot_1, er_sc_dot_2, er_sc_dot_3, er_sc_dot_4, er_sc_dot_8;

/* Count inputs, one or more, of four pixels as pairs. */
void er_sc_pack(const int8_t *const from[4], int32_t count, int32_t *to);

/*
 * weights: of each channel `length` of them, the last 0. kinds: of each channel, which of `dots` sums it.
 * inputs: that a pixel sees.
 */
typedef struct er_sc_pairs {
    const int8_t *weights;
    const uint8_t *kinds;
    const er_sc_channel *scales;
    er_sc_dot *dots[5];
    er_sc_scale *scale;
    int32_t channels, length, inputs;
    er_sc_range range;
} er_sc_pairs;

/* Pixels whose inputs follow one another. columns: two words for each of `length`, as below. */
void er_sc_pairs_run(const er_sc_pairs *p, const int8_t *x, int8_t *y, int32_t pixels, int32_t *columns);

typedef struct er_sc_window {
    er_sc_pairs pairs;
    int32_t height, width, depth, kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int32_t out_width, pixels, input_zero;
} er_sc_window;

typedef struct er_sc_pool {
    int32_t height, width, stride_y, stride_x;
} er_sc_pool;

/* Any window. zeros: of a row of the window, for what lies outside of the image; or NULL. */
void er_sc_window_run(const er_sc_window *w, const int8_t *x, int8_t *y, int32_t *columns, int8_t *zeros);
/* Likewise, and a maximum of windows of pixels that do not overlap; columns: for each four of them. */
void er_sc_pool_run(const er_sc_window *w, const er_sc_pool *pool, const int8_t *x, int8_t *y, int32_t *columns,
                    int8_t *zeros);

#endif
