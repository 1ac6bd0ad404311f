/* MUL. */
#include "micro_binary_walk.h"

static int8_t mul_s8(const micro_binary_s8 *p, int8_t a, int8_t b)
{
    int32_t product = (a - p->zero_a) * (b - p->zero_b);
    return (int8_t)micro_clamp(micro_scaled(p->y, product) + p->zero_y, p->low, p->high);
}

static float mul_f32(float a, float b)
{
    return a * b;
}

MICRO_BINARY_S8(micro_mul_s8_run)
{
    micro_walk_s8(p, a, b, y, mul_s8);
}

MICRO_BINARY_F32(micro_mul_f32_run)
{
    micro_walk_f32(p, a, b, y, mul_f32);
}
