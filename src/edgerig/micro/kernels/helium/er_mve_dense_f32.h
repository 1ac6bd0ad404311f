/* Dense layers of floats by Helium: four outputs at a time, four inputs an instruction. */
#ifndef ER_MVE_DENSE_F32_H
#define ER_MVE_DENSE_F32_H

#include <stdint.h>

/* The assembly code knows the offsets. */
typedef struct er_mve_dense {
    const float *weights, *bias; /* of an output after the other */
    int32_t inputs, outputs;
    int32_t limits; /* 1: low, 2: high */
    float low, high;
} er_mve_dense;

void er_mve_dense_f32(const er_mve_dense *dense, const float *x, float *y);

#endif
