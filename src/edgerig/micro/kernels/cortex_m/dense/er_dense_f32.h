/* Matrix times vector, float, for FPUs with VFMA. */
#ifndef ER_DENSE_F32_H
#define ER_DENSE_F32_H

#include <stdint.h>

/* blocks of four outputs: four biases, then for each input four weights. */
void er_dense_f32_blocks(const float *stream, const float *x, float *y, uint32_t blocks, uint32_t inputs);

/* bias + sum of w * x */
float er_dense_f32_sum(const float *w, const float *x, uint32_t inputs, float bias);

/* Each of count numbers between low and high. */
void er_clamp_f32(float *y, uint32_t count, float low, float high);

#endif
