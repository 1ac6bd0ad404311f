/* Maxima of int8 by Helium, 16 channels at a time, and means, 8 at a time; of floats 4, whose depth counts bytes and
 * which have no limits. */
#ifndef ER_MVE_POOL_H
#define ER_MVE_POOL_H

#include "er_pool.h"

/* A window of rows by columns pixels; skip: bytes from the end of one of its rows to the beginning of the next. */
typedef struct er_mve_pool_window {
    int32_t rows, columns, depth, skip, low, high;
    int32_t half, reciprocal; /* of a mean: of the number of pixels, at most 255; 2^30 by it, and 1 */
} er_mve_pool_window;

typedef void er_mve_window_run(const int8_t *in, int8_t *out, const er_mve_pool_window *window);
er_mve_window_run er_mve_pool_maximum, er_mve_pool_mean, er_mve_pool_maximum_f32, er_mve_pool_mean_f32;

void er_mve_pool_windows(const er_pool *pool, er_mve_window_run *run, const int8_t *in, int8_t *out);

#endif
