/* MINIMUM; in int8 all have one scale, so that the integers decide. */
#include "micro_binary_walk.h"

static int8_t minimum_s8(const micro_binary_s8 *p, int8_t a, int8_t b)
{
    return (int8_t)micro_clamp(a < b ? a : b, p->low, p->high);
}

static float minimum_f32(float a, float b)
{
    return a < b ? a : b;
}

MICRO_BINARY_S8(micro_minimum_s8_run)
{
    micro_walk_s8(p, a, b, y, minimum_s8);
}

MICRO_BINARY_F32(micro_minimum_f32_run)
{
    micro_walk_f32(p, a, b, y, minimum_f32);
}
