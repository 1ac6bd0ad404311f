/* int16 pooling and means. */
#ifndef MICRO_POOL_S16_H
#define MICRO_POOL_S16_H

#include "micro_mean_s8.h"
#include "micro_pool_s8.h"

void micro_max_pool_s16_run(const micro_pool_s8 *p, const int16_t *x, int16_t *y);
void micro_average_pool_s16_run(const micro_pool_s8 *p, const int16_t *x, int16_t *y);
void micro_mean_s16_run(const micro_mean_s8 *p, const int16_t *x, int16_t *y);

#endif
