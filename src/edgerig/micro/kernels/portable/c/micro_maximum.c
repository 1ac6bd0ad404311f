/* MAXIMUM; in int8 all have one scale, so that the integers decide. */
#include "micro_binary_walk.h"

static int8_t maximum_s8(const micro_binary_s8 *p, int8_t a, int8_t b)
{
    return (int8_t)micro_clamp(a > b ? a : b, p->low, p->high);
}

static float maximum_f32(float a, float b)
{
    return a > b ? a : b;
}

MICRO_BINARY_S8(micro_maximum_s8_run)
{
    micro_walk_s8(p, a, b, y, maximum_s8);
}

MICRO_BINARY_F32(micro_maximum_f32_run)
{
    micro_walk_f32(p, a, b, y, maximum_f32);
}
