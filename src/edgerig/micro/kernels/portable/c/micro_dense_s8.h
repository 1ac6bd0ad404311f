/* int8 dense layer for one vector. */
#ifndef MICRO_DENSE_S8_H
#define MICRO_DENSE_S8_H

#include "micro_requantize.h"

typedef struct micro_dense_s8 {
    int32_t depth, channels;
    int32_t length; /* elements of a row of weights, padded with zeros */
    int32_t output_zero, low, high;
    const int8_t *weights;       /* channels rows of length */
    const micro_channel *scales; /* input zero point folded into the bias */
} micro_dense_s8;

/* column: length elements */
void micro_dense_s8_run(const micro_dense_s8 *p, const int8_t *x, int8_t *y, int16_t *column);

#endif
