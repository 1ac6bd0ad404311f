#include "er_sc_mean.h"

/* One channel of a window. */
static int32_t sum_of(const er_sc_mean *p, const int8_t *x)
{
    const int32_t depth = p->depth, down = (p->width - p->window_width) * depth;
    int32_t sum = 0;

    for (int32_t i = p->window_height; i > 0; i--, x += down)
        for (int32_t j = p->window_width; j > 0; j--, x += depth)
            sum += *x;
    return sum;
}

void er_sc_mean_run(const er_sc_mean *p, const int8_t *x, int8_t *y, int32_t *sums)
{
    const int32_t line = p->stride_y * p->width * p->depth, step = p->stride_x * p->depth;

    for (int32_t row = p->out_height; row > 0; row--, x += line) {
        const int8_t *from = x;
        for (int32_t column = p->out_width; column > 0; column--, from += step, y += p->depth) {
            for (int32_t c = 0; c < p->depth; c++)
                sums[c] = sum_of(p, from + c);
            er_sc_scale_pieces(&p->scale, &p->range, sums, p->depth, y, 1);
        }
    }
}
