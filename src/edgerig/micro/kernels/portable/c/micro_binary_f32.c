#include "micro_binary_f32.h"

typedef float (*operation)(float a, float b);

static float sum(float a, float b)
{
    return a + b;
}

static float difference(float a, float b)
{
    return a - b;
}

static float product(float a, float b)
{
    return a * b;
}

static void run(const micro_binary_f32 *p, const float *a, const float *b, float *y, operation one)
{
    const int32_t *n = p->size, *s = p->step_a, *t = p->step_b;
    for (int32_t h = 0; h < n[0]; h++) {
        for (int32_t i = 0; i < n[1]; i++) {
            for (int32_t j = 0; j < n[2]; j++) {
                for (int32_t k = 0; k < n[3]; k++) {
                    const float *from_a = a + h * s[0] + i * s[1] + j * s[2] + k * s[3];
                    const float *from_b = b + h * t[0] + i * t[1] + j * t[2] + k * t[3];
                    for (int32_t m = 0; m < n[4]; m++) {
                        float value = one(from_a[m * s[4]], from_b[m * t[4]]);
                        *y++ = value < p->low ? p->low : value > p->high ? p->high : value;
                    }
                }
            }
        }
    }
}

void micro_add_f32_run(const micro_binary_f32 *p, const float *a, const float *b, float *y)
{
    run(p, a, b, y, sum);
}

void micro_sub_f32_run(const micro_binary_f32 *p, const float *a, const float *b, float *y)
{
    run(p, a, b, y, difference);
}

void micro_mul_f32_run(const micro_binary_f32 *p, const float *a, const float *b, float *y)
{
    run(p, a, b, y, product);
}
