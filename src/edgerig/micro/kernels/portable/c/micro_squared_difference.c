/* SQUARED_DIFFERENCE. */
#include "micro_binary_walk.h"

/* Both sides are shifted left by so many bits before they are brought to one scale. */
#define LEFT_SHIFT 7

static int8_t squared_difference_s8(const micro_binary_s8 *p, int8_t a, int8_t b)
{
    int32_t first = micro_scaled(p->a, (a - p->zero_a) * (1 << LEFT_SHIFT));
    int32_t second = micro_scaled(p->b, (b - p->zero_b) * (1 << LEFT_SHIFT));
    int32_t difference = first - second;
    return (int8_t)micro_clamp(micro_scaled(p->y, difference * difference) + p->zero_y, p->low, p->high);
}

static float squared_difference_f32(float a, float b)
{
    return (a - b) * (a - b);
}

MICRO_BINARY_S8(micro_squared_difference_s8_run)
{
    micro_walk_s8(p, a, b, y, squared_difference_s8);
}

MICRO_BINARY_F32(micro_squared_difference_f32_run)
{
    micro_walk_f32(p, a, b, y, squared_difference_f32);
}
