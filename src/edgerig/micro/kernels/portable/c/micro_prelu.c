/* PRELU: what is below 0 is multiplied by a slope of its own. */
#include "micro_binary_walk.h"

static int8_t prelu_s8(const micro_binary_s8 *p, int8_t a, int8_t b)
{
    int32_t x = a - p->zero_a;
    int32_t y = x >= 0 ? micro_scaled(p->a, x) : micro_scaled(p->y, x * (b - p->zero_b));
    return (int8_t)micro_clamp(y + p->zero_y, p->low, p->high);
}

static float prelu_f32(float a, float b)
{
    return a >= 0.0f ? a : a * b;
}

MICRO_BINARY_S8(micro_prelu_s8_run)
{
    micro_walk_s8(p, a, b, y, prelu_s8);
}

MICRO_BINARY_F32(micro_prelu_f32_run)
{
    micro_walk_f32(p, a, b, y, prelu_f32);
}
