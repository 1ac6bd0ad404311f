/* int8 dense layer for one vector. */
#ifndef MICRO_DENSE_S8_H
#define MICRO_DENSE_S8_H

#include "micro_scaler.h"

typedef struct micro_dense_s8 {
    int32_t depth, channels;
    int32_t length; /* elements of a row of weights, padded with zeros */
    int32_t apart;  /* products, a multiple of 16, of which one accumulator of 64 bits holds all sums */
    micro_scaling scaling;
    const uint8_t *weights;      /* channels rows of length; 128 added to each */
    const micro_channel *scales; /* folded into the bias: input zero point, and 128 times the sum of the weights */
} micro_dense_s8;

/* column: length elements, rounded up to a multiple of 4, aligned to 4 bytes */
void micro_dense_s8_run(const micro_dense_s8 *p, const int8_t *x, int8_t *y, int16_t *column);

#endif
