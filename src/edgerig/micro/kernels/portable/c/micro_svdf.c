#include "micro_svdf.h"

#include "micro_requantize.h"

/* What a filter makes of the input, on the scale of the state. */
static int16_t newest(const micro_svdf *p, const int8_t *x, const int8_t *weights)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < p->inputs; i++)
        sum += weights[i] * (x[i] - p->zero_x);
    return (int16_t)micro_clamp(micro_scale_twice(sum, p->state_multiplier, p->state_exponent), INT16_MIN, INT16_MAX);
}

void micro_svdf_s8_run(const micro_svdf *p, const int8_t *x, const int8_t *features, const int16_t *time,
                       const int32_t *bias, int16_t *state, int8_t *y)
{
    for (int32_t unit = 0; unit < p->units; unit++) {
        /* Sums wrap around where 32 bits do not hold them. */
        uint32_t sum = bias ? (uint32_t)bias[unit] : 0u;
        for (int32_t r = 0; r < p->rank; r++, features += p->inputs, time += p->memory, state += p->memory) {
            for (int32_t i = 0; i < p->memory - 1; i++) {
                state[i] = state[i + 1];
                sum += (uint32_t)(state[i] * time[i]);
            }
            state[p->memory - 1] = newest(p, x, features);
            sum += (uint32_t)(state[p->memory - 1] * time[p->memory - 1]);
        }
        int32_t scaled = micro_scale_twice((int32_t)sum, p->multiplier, p->exponent);
        y[unit] = (int8_t)micro_clamp(scaled + p->zero_y, INT8_MIN, INT8_MAX);
    }
}

void micro_svdf_f32_run(const micro_svdf *p, const float *x, const float *features, const float *time,
                        const float *bias, float *state, float *y)
{
    for (int32_t unit = 0; unit < p->units; unit++) {
        float sum = bias ? bias[unit] : 0.0f;
        for (int32_t r = 0; r < p->rank; r++, features += p->inputs, time += p->memory, state += p->memory) {
            float product = 0.0f;
            for (int32_t i = 0; i < p->inputs; i++)
                product += features[i] * x[i];
            for (int32_t i = 0; i < p->memory - 1; i++) {
                state[i] = state[i + 1];
                sum += state[i] * time[i];
            }
            state[p->memory - 1] = product;
            sum += product * time[p->memory - 1];
        }
        y[unit] = sum < p->low ? p->low : sum > p->high ? p->high : sum;
    }
}
