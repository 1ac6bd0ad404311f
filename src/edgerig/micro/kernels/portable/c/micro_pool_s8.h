/* int8 pooling. */
#ifndef MICRO_POOL_S8_H
#define MICRO_POOL_S8_H

#include <stdint.h>

typedef struct micro_pool_s8 {
    int32_t height, width, depth; /* of the input */
    int32_t window_height, window_width;
    int32_t stride_y, stride_x;
    int32_t top, left; /* padding, which does not count */
    int32_t out_height, out_width;
    int32_t low, high;
    int32_t unsigned_by; /* of means: what the integers were less, so that their halves are rounded as before; or 0 */
} micro_pool_s8;

void micro_max_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y);

/* sums: one for each channel */
void micro_average_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y, int32_t *sums);

#endif
