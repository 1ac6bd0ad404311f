/* 3x3 convolution of an int8 image of one channel, ReLU and 2x2 maximum in one, for Armv7E-M. */
#ifndef ER_FIRST_POOL_H
#define ER_FIRST_POOL_H

#include <stdint.h>

/* One row of pooled pixels. numbers, by channel: taps as int16 pairs (00 02)(10 12)(20 22)(01 11)(21 0), then start,
   multiplier, addend (see prescaled.py) and bias; windows: 4 pixels of 5 words for each pooled pixel. */
typedef void er_first_pool_row(const int32_t *numbers, const uint32_t *windows, const uint32_t *end, int8_t *out);

typedef struct er_first_pool_shape {
    int16_t height, width, out_height, out_width, out_channels;
    int16_t top, left, zero;
} er_first_pool_shape;

/* windows: 80 bytes for each pixel of a row of the output; edge: 4 * (2 * out_width + 2) bytes, or 0 where nothing is
   padded. */
void er_first_pool(const er_first_pool_shape *shape, er_first_pool_row *row, const int32_t *numbers, const int8_t *in,
                   int8_t *out, uint32_t *windows, int8_t *edge);

#endif
