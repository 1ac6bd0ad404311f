/* ABS of floats; y may be x. In int8 it is a table. */
#include <stdint.h>

void micro_abs_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = x[i] < 0.0f ? -x[i] : x[i];
}
