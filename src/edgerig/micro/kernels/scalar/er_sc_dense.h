/* int8 dense layers for processors without SIMD, and convolutions of few pixels: four channels at a time. */
#ifndef ER_SC_DENSE_H
#define ER_SC_DENSE_H

#include "er_sc_scale.h"

/* Sums of one pixel. Weights: of each input those of four channels together; on Armv6-M 128 added to each. */
void er_sc_dot_pixel(const int8_t *weights, const int8_t *x, int32_t length, int32_t sums[4]);

/*
 * weights: by blocks of four channels, the last filled up. offset: what was added to weights, so that so many times the
 * sum of the inputs must be taken off.
 */
typedef struct er_sc_dense {
    const int8_t *weights;
    const er_sc_channel *scales;
    er_sc_scale *scale;
    int32_t channels, length, offset;
    er_sc_range range;
} er_sc_dense;

void er_sc_dense_run(const er_sc_dense *p, const int8_t *x, int8_t *y, int32_t pixels);

#endif
