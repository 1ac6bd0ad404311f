/* int8 depthwise convolutions for RISC-V with multiplication: channel by channel, whose rows are copied with padding. */
#ifndef ER_RV_DEPTHWISE_H
#define ER_RV_DEPTHWISE_H

#include "er_rv_rows.h"
#include "er_rv_scale.h"

/*
 * weights: of each output channel its window. multiplier: output channels for each of the input.
 * sum: for windows at stride 1 and 2, else NULL.
 * rows: of the output, made together. plane_width: columns that they see, padding included.
 */
typedef struct er_rv_depthwise {
    const int8_t *weights;
    const er_rv_channel *scales;
    er_rv_range range;
    er_rv_row_sums *sum;
    er_rv_row row;
    int32_t height, width, depth, multiplier;
    int32_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int32_t out_height, out_width, input_zero, rows, plane_width;
} er_rv_depthwise;

void er_rv_depthwise_once(const er_rv_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums);
void er_rv_depthwise_twice(const er_rv_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums);

#endif
