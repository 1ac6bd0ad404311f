#include "er_mve_pool.h"

static int32_t inside(int32_t at, int32_t size)
{
    return at < 0 ? 0 : at > size ? size : at;
}

void er_mve_pool_windows(const er_pool *pool, er_mve_window_run *run, const int8_t *in, int8_t *out)
{
    er_mve_pool_window window = { 0, 0, pool->depth, 0, pool->low, pool->high, 0, 0 };
    for (int32_t y = 0; y < pool->out_height; y++) {
        int32_t top = y * pool->stride_y - pool->top, first = inside(top, pool->height);
        window.rows = inside(top + pool->window_height, pool->height) - first;
        for (int32_t x = 0; x < pool->out_width; x++, out += pool->depth) {
            int32_t left = x * pool->stride_x - pool->left, begin = inside(left, pool->width);
            window.columns = inside(left + pool->window_width, pool->width) - begin;
            window.skip = (pool->width - window.columns) * pool->depth;
            const int32_t count = window.rows * window.columns;
            window.half = count / 2;
            window.reciprocal = (1 << 30) / count + 1;
            run(in + (first * pool->width + begin) * pool->depth, out, &window);
        }
    }
}
