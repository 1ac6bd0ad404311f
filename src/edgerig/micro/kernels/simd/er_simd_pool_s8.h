/* Pooling of int8. Windows of an average have at most 65536 pixels. */
#ifndef ER_SIMD_POOL_S8_H
#define ER_SIMD_POOL_S8_H

#include "micro_pool_s8.h"

void er_simd_max_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y);
void er_simd_average_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y);

#endif
