#include "micro_mean_s8.h"

#include "micro_requantize.h"

static int32_t total(const micro_mean_s8 *p, const int8_t *x)
{
    const int32_t *n = p->summed, *s = p->summed_step;
    int32_t sum = 0;
    for (int32_t i = 0; i < n[0]; i++)
        for (int32_t j = 0; j < n[1]; j++)
            for (int32_t k = 0; k < n[2]; k++)
                sum += x[i * s[0] + j * s[1] + k * s[2]];
    return sum - p->count_zero;
}

void micro_mean_s8_run(const micro_mean_s8 *p, const int8_t *x, int8_t *y)
{
    const int32_t *n = p->kept, *s = p->kept_step;
    for (int32_t i = 0; i < n[0]; i++) {
        for (int32_t j = 0; j < n[1]; j++) {
            for (int32_t k = 0; k < n[2]; k++) {
                int32_t sum = total(p, x + i * s[0] + j * s[1] + k * s[2]);
                int32_t value = micro_scale_twice(sum, p->multiplier, p->exponent) + p->output_zero;
                *y++ = (int8_t)micro_clamp(value, INT8_MIN, INT8_MAX);
            }
        }
    }
}
