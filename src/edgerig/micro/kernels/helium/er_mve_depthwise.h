/* int8 depthwise convolutions by Helium: bands of rows are copied with their padding, then run through generated code,
 * which multiplies eight channels of two pixels at a time. */
#ifndef ER_MVE_DEPTHWISE_H
#define ER_MVE_DEPTHWISE_H

#include <stdint.h>

/* The stream holds for each eight channels the weights, eight bytes a tap, and behind them four numbers each of bias,
 * multiplier and shift (negative: to the right), each first of the even channels, then of the odd ones. */
typedef struct er_mve_channels {
    const int8_t *stream;
    int32_t zero, low, high;
} er_mve_channels;

/* Some rows of the output; plane: the padded rows that they see. */
typedef void er_mve_depthwise_run(const er_mve_channels *channels, const int8_t *plane, int8_t *y, int32_t rows);

typedef struct er_mve_depthwise {
    er_mve_channels channels;
    er_mve_depthwise_run *run;
    int32_t height, line; /* of the input; line: bytes of a row */
    int32_t out_height, out_line;
    int32_t stride, reach; /* along columns; reach: rows that an output sees, gaps included */
    int32_t top;
    int32_t left, pitch, copied; /* bytes: of padding at the left, of a padded row, of an input's row that are used */
    int32_t band;                /* rows of the output */
    int32_t first, on;           /* row of the output where the first band begins; from it to the next, or before it */
    int32_t input_zero;
} er_mve_depthwise;

/* plane: reach + (band - 1) * stride rows of pitch bytes, and 16 bytes more */
void er_mve_depthwise_layer(const er_mve_depthwise *layer, const int8_t *x, int8_t *y, int8_t *plane);

#endif
