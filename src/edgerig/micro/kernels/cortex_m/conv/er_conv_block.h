/* 3x3 convolution of int8 images with stride 1 by er_block, with or without a 2x2 maximum behind it. */
#ifndef ER_CONV_BLOCK_H
#define ER_CONV_BLOCK_H

#include <stdint.h>

#include "er_block.h"

typedef struct er_conv_block_shape {
    int16_t height, width, channels;             /* channels: a multiple of 4 */
    int16_t out_height, out_width, out_channels; /* what the maximum leaves; two columns or more if there is none */
    int16_t top, left;                           /* padding */
    int16_t zero;                                /* what the padding holds */
    int16_t pooled;                              /* 2 with a maximum of stride 2, else 1 */
} er_conv_block_shape;

/* run: er_block_2, or er_block_pool; columns: job->row_bytes for each of job->rows + 2 rows; edge: a pixel, or 0 where
   there is no padding. */
void er_conv_block(const er_conv_block_shape *shape, er_block_run *run, const er_block *job, const int8_t *in,
                   int8_t *out, uint32_t *columns, int8_t *edge);

#endif
