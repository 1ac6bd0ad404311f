/* NEG of floats; y may be x. */
#include <stdint.h>

void micro_neg_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = -x[i];
}
