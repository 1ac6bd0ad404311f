#include "micro_curves_f32.h"

#include <string.h>

/* e^x to about one unit in the last place: 2^n times a polynomial (Taylor's) on [-ln 2 / 2, ln 2 / 2]. */
static float exponential(float x)
{
    if (x > 88.0f)
        x = 88.0f;
    if (!(x > -87.0f))
        return 0.0f;
    float turns = x * 1.44269504f;
    int32_t n = (int32_t)(turns + (turns >= 0.0f ? 0.5f : -0.5f));
    float r = x - (float)n * 0.693145752f - (float)n * 1.42860677e-6f;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

void micro_clamp_f32(const float *x, float *y, int32_t count, float low, float high)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

void micro_logistic_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = 1.0f / (1.0f + exponential(-x[i]));
}

void micro_tanh_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = 1.0f - 2.0f / (exponential(2.0f * x[i]) + 1.0f);
}

void micro_hard_swish_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        float part = x[i] + 3.0f;
        part = part < 0.0f ? 0.0f : part > 6.0f ? 6.0f : part;
        y[i] = x[i] * part / 6.0f;
    }
}

void micro_exp_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = exponential(x[i]);
}

/* ln x: the exponent's, and 2 atanh((m - 1) / (m + 1)) of a mantissa m between the roots of 1/2 and 2. */
static float logarithm(float x)
{
    if (!(x > 0.0f) || x > 3.4028234e38f)
        return x == 0.0f ? -1.0f / (x * x) : x > 0.0f ? x : (x - x) / (x - x);
    int32_t exponent = -127;
    if (x < 1.17549435e-38f) {
        x *= 8388608.0f;
        exponent -= 23;
    }
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    exponent += (int32_t)(bits >> 23);
    bits = (bits & 0x7fffffu) | 0x3f800000u;
    float m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356f) {
        m *= 0.5f;
        exponent++;
    }
    float s = (m - 1.0f) / (m + 1.0f), q = s * s;
    float series = 2.0f / 9.0f;
    series = series * q + 2.0f / 7.0f;
    series = series * q + 2.0f / 5.0f;
    series = series * q + 2.0f / 3.0f;
    series = series * q + 2.0f;
    return (float)exponent * 0.693147181f + s * series;
}

void micro_log_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = logarithm(x[i]);
}

/* The error function to 2e-7 (Abramowitz and Stegun, 7.1.26). */
static float error_function(float x)
{
    float size = x < 0.0f ? -x : x;
    float t = 1.0f / (1.0f + 0.3275911f * size);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float value = 1.0f - p * t * exponential(-size * size);
    return x < 0.0f ? -value : value;
}

void micro_gelu_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = 0.5f * x[i] * (1.0f + error_function(x[i] * 0.707106781f));
}

void micro_gelu_tanh_f32(const float *x, float *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        float twice = 1.59576912f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
        y[i] = x[i] - x[i] / (exponential(twice) + 1.0f);
    }
}

void micro_softmax_f32(const float *x, float *y, int32_t rows, int32_t depth, float beta)
{
    for (int32_t i = 0; i < rows; i++, x += depth, y += depth) {
        float greatest = x[0], sum = 0.0f;
        for (int32_t k = 1; k < depth; k++)
            greatest = x[k] > greatest ? x[k] : greatest;
        for (int32_t k = 0; k < depth; k++) {
            y[k] = exponential((x[k] - greatest) * beta);
            sum += y[k];
        }
        for (int32_t k = 0; k < depth; k++)
            y[k] /= sum;
    }
}

void micro_log_softmax_f32(const float *x, float *y, int32_t rows, int32_t depth)
{
    for (int32_t i = 0; i < rows; i++, x += depth, y += depth) {
        float greatest = x[0], sum = 0.0f;
        for (int32_t k = 1; k < depth; k++)
            greatest = x[k] > greatest ? x[k] : greatest;
        for (int32_t k = 0; k < depth; k++)
            sum += exponential(x[k] - greatest);
        float logarithm_of_sum = logarithm(sum);
        for (int32_t k = 0; k < depth; k++)
            y[k] = x[k] - greatest - logarithm_of_sum;
    }
}

static float total(const micro_mean_f32 *p, const float *x)
{
    const int32_t *n = p->summed, *s = p->summed_step;
    float sum = 0.0f;
    for (int32_t i = 0; i < n[0]; i++)
        for (int32_t j = 0; j < n[1]; j++)
            for (int32_t k = 0; k < n[2]; k++)
                sum += x[i * s[0] + j * s[1] + k * s[2]];
    return sum / (float)(n[0] * n[1] * n[2]);
}

void micro_mean_f32_run(const micro_mean_f32 *p, const float *x, float *y)
{
    const int32_t *n = p->kept, *s = p->kept_step;
    for (int32_t i = 0; i < n[0]; i++)
        for (int32_t j = 0; j < n[1]; j++)
            for (int32_t k = 0; k < n[2]; k++)
                *y++ = total(p, x + i * s[0] + j * s[1] + k * s[2]);
}
