/* DIV of floats. */
#include "micro_binary_walk.h"

static float div_f32(float a, float b)
{
    return a / b;
}

MICRO_BINARY_F32(micro_div_f32_run)
{
    micro_walk_f32(p, a, b, y, div_f32);
}
