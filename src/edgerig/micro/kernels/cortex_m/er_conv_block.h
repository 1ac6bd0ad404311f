/* 3x3 convolution of int8 images with stride 1 by er_block. */
#ifndef ER_CONV_BLOCK_H
#define ER_CONV_BLOCK_H

#include <stdint.h>

#include "er_block.h"

typedef struct er_conv_block_shape {
    int16_t height, width, channels; /* channels: a multiple of 4 */
    int16_t out_height, out_width, out_channels; /* at least 1 x 1 where pooled, else 1 x 2; channels even */
    int16_t top, left; /* padding */
    int16_t zero; /* what the padding holds */
} er_conv_block_shape;

/* columns: job->row_bytes for each of job->rows + 2 rows. */
void er_conv_block(const er_conv_block_shape *shape, const er_block *job, const int8_t *in, int8_t *out,
                   uint32_t *columns);

/* With a 2x2 maximum, stride 2, behind it; out_height and out_width are what that leaves. columns:
   job->row_bytes for each of 2 * job->rows + 2 rows. */
void er_conv_block_pool(const er_conv_block_shape *shape, const er_block *job, const int8_t *in, int8_t *out,
                        uint32_t *columns);

#endif
