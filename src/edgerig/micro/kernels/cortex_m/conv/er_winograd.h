/* 3x3 convolution of int8 images with stride 1 by Winograd's F(2x2, 3x3); winograd_code.py makes the assembly. */
#ifndef ER_WINOGRAD_H
#define ER_WINOGRAD_H

#include <stdint.h>

/* The assembly code knows the offsets of these. */
typedef struct er_winograd {
    const int32_t *weights; /* transformed, and numbers of the channels, one stream */
    const int32_t *end;
    int32_t row_stride; /* of the output, bytes */
    int32_t addend;     /* of the requantization with one rounding */
} er_winograd;

typedef struct er_winograd_border {
    uint32_t zero;        /* twice what the padding holds, in both halves */
    uint32_t left, right; /* whether there is a column of it */
} er_winograd_border;

typedef void er_winograd_rows(const int8_t *const rows[3], uint32_t *to, const er_winograd_border *border);
typedef void er_winograd_columns(const uint32_t *from, uint32_t *to);
typedef void er_winograd_products(const er_winograd *job, const uint32_t *tiles, int8_t *out);

typedef struct er_winograd_shape {
    int16_t height, row_bytes;                   /* of the input */
    int16_t out_height, out_width, out_channels; /* an even number of rows, a multiple of 4 columns */
    int16_t top, zero;
    er_winograd_border border;
    er_winograd_rows *rows;
    er_winograd_columns *columns;
    er_winograd_products *products;
} er_winograd_shape;

/* lines: (out_width + 2) * 8 * channels bytes; tiles: 64 * channels bytes, and not less than a row of the input. */
void er_winograd_conv(const er_winograd_shape *shape, const er_winograd *job, const int8_t *in, int8_t *out,
                      uint32_t *lines, uint32_t *tiles);

#endif
