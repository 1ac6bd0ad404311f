/* SQRT of floats; y may be x. In int8 it is a table. */
#include "micro_root.h"

void micro_sqrt_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = micro_root(x[i]);
}
