/* Maxima of int8 by Helium, 16 channels at a time. */
#ifndef ER_MVE_POOL_H
#define ER_MVE_POOL_H

#include "er_pool.h"

/* A window of rows by columns pixels; skip: bytes from the end of one of its rows to the beginning of the next. */
typedef struct er_mve_pool_window {
    int32_t rows, columns, depth, skip, low, high;
} er_mve_pool_window;

void er_mve_pool_maximum(const int8_t *in, int8_t *out, const er_mve_pool_window *window);

void er_mve_max_pool(const er_pool *pool, const int8_t *in, int8_t *out);

#endif
