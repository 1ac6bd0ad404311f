#include "micro_pool_s8.h"

#include "micro_requantize.h"

/* Rows y0 to y1 and columns x0 to x1 of the input that an output pixel sees. */
typedef struct span {
    int32_t y0, y1, x0, x1;
} span;

static span seen(const micro_pool_s8 *p, int32_t pixel)
{
    int32_t top = pixel / p->out_width * p->stride_y - p->top, left = pixel % p->out_width * p->stride_x - p->left;
    span s;
    s.y0 = top < 0 ? 0 : top;
    s.x0 = left < 0 ? 0 : left;
    s.y1 = top + p->window_height < p->height ? top + p->window_height : p->height;
    s.x1 = left + p->window_width < p->width ? left + p->window_width : p->width;
    return s;
}

void micro_max_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->depth) {
        span s = seen(p, pixel);
        for (int32_t c = 0; c < p->depth; c++)
            y[c] = INT8_MIN;
        for (int32_t row = s.y0; row < s.y1; row++) {
            const int8_t *from = x + (row * p->width + s.x0) * p->depth;
            for (int32_t column = s.x0; column < s.x1; column++, from += p->depth) {
                for (int32_t c = 0; c < p->depth; c++)
                    y[c] = from[c] > y[c] ? from[c] : y[c];
            }
        }
        for (int32_t c = 0; c < p->depth; c++)
            y[c] = (int8_t)micro_clamp(y[c], p->low, p->high);
    }
}

void micro_average_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y, int32_t *sums)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->depth) {
        span s = seen(p, pixel);
        int32_t count = (s.y1 - s.y0) * (s.x1 - s.x0);
        for (int32_t c = 0; c < p->depth; c++)
            sums[c] = 0;
        for (int32_t row = s.y0; row < s.y1; row++) {
            const int8_t *from = x + (row * p->width + s.x0) * p->depth;
            for (int32_t column = s.x0; column < s.x1; column++, from += p->depth) {
                for (int32_t c = 0; c < p->depth; c++)
                    sums[c] += from[c];
            }
        }
        for (int32_t c = 0; c < p->depth; c++) {
            int32_t sum = sums[c] + count * p->unsigned_by;
            int32_t half = sum > 0 ? count / 2 : -(count / 2);
            y[c] = (int8_t)micro_clamp((sum + half) / count - p->unsigned_by, p->low, p->high);
        }
    }
}
