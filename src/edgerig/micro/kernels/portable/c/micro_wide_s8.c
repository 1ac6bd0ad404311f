#include "micro_window_walk.h"

static int32_t add_up(const micro_window_s8 *p, const int8_t *x, int32_t first, int32_t count)
{
    const int16_t *weights = (const int16_t *)p->weights + first;
    int32_t sum = 0;
    for (int32_t k = 0; k < count; k++)
        sum += weights[k] * (x[k] - p->input_zero);
    return sum;
}

void micro_wide_s8_run(const micro_window_s8 *p, const int8_t *x, int8_t *y)
{
    micro_window_walk(p, x, y, add_up);
}
