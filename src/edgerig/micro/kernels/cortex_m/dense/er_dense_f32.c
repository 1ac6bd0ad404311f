#include "er_dense_f32.h"

void er_clamp_f32(float *y, uint32_t count, float low, float high)
{
    for (; count != 0; count--, y++)
        *y = *y < low ? low : *y > high ? high : *y;
}
