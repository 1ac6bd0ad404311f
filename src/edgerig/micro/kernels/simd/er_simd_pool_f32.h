/* Pooling of float. */
#ifndef ER_SIMD_POOL_F32_H
#define ER_SIMD_POOL_F32_H

#include "micro_image_f32.h"

void er_simd_max_pool_f32_run(const micro_image_f32 *p, const float *x, float *y);
void er_simd_average_pool_f32_run(const micro_image_f32 *p, const float *x, float *y);

#endif
