/* SVDF: a dense layer over the last inputs, by filters of features and of time. */
#ifndef MICRO_SVDF_H
#define MICRO_SVDF_H

#include <stdint.h>

typedef struct micro_svdf {
    int32_t inputs, units, rank, memory;
    int32_t zero_x, zero_y; /* int8 only, as what follows */
    int32_t state_multiplier, state_exponent, multiplier, exponent;
    float low, high; /* float32 only */
} micro_svdf;

/* bias may be 0; state holds `memory` numbers of each filter, the oldest first, and is shifted by one. */
void micro_svdf_s8_run(const micro_svdf *p, const int8_t *x, const int8_t *features, const int16_t *time,
                       const int32_t *bias, int16_t *state, int8_t *y);
void micro_svdf_f32_run(const micro_svdf *p, const float *x, const float *features, const float *time,
                        const float *bias, float *state, float *y);

#endif
