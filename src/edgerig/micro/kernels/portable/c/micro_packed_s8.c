#include "micro_window_walk.h"

static int32_t lower(uint8_t pair)
{
    return (pair & 15) - (pair << 1 & 16);
}

static int32_t upper(uint8_t pair)
{
    return (pair >> 4) - (pair >> 3 & 16);
}

static int32_t add_up(const micro_window_s8 *p, const int8_t *x, int32_t first, int32_t count)
{
    const uint8_t *pairs = (const uint8_t *)p->weights + first / 2;
    int32_t sum = 0, k = 0, zero = p->input_zero;
    if (first % 2)
        sum += upper(*pairs++) * (x[k++] - zero);
    for (; k + 1 < count; k += 2, pairs++)
        sum += lower(*pairs) * (x[k] - zero) + upper(*pairs) * (x[k + 1] - zero);
    if (k < count)
        sum += lower(*pairs) * (x[k] - zero);
    return sum;
}

void micro_packed_s8_run(const micro_window_s8 *p, const int8_t *x, int8_t *y)
{
    micro_window_walk(p, x, y, add_up);
}
