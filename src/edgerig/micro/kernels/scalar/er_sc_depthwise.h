/* int8 depthwise convolutions for processors without SIMD: channel by channel, whose rows are copied with
 * padding. */
#ifndef ER_SC_DEPTHWISE_H
#define ER_SC_DEPTHWISE_H

#include "er_sc_rows.h"
#include "er_sc_scale.h"

/*
 * weights: of each output channel its window. multiplier: output channels for each of the input.
 * sum: for windows at stride 1 and 2, else NULL.
 * rows: of the output, made together; group: of them, summed together.
 * plane_width: columns that they see, padding included.
 * first: row of the output where the first band begins; step: rows to the next band, below 0 from the last band up.
 */
typedef struct er_sc_depthwise {
    const int8_t *weights;
    const er_sc_channel *scales;
    er_sc_range range;
    er_sc_row_sums *sum;
    er_sc_row row;
    int32_t height, width, depth, multiplier;
    int32_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int32_t out_height, out_width, input_zero, rows, group, plane_width, first, step;
} er_sc_depthwise;

void er_sc_depthwise_once(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums);
void er_sc_depthwise_twice(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums);

/* The same with inputs that are copied as numbers from 0 to 255: input_zero, scales and `sum` are for these. */
void er_sc_depthwise_bytes(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums,
                           er_sc_scale *scale);

#endif
