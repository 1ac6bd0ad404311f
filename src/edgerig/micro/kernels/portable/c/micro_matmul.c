#include "micro_matmul.h"

#include "micro_requantize.h"
#include "micro_scale_s16.h"

static int8_t product_s8(const micro_matmul *p, const int8_t *a, const int8_t *b)
{
    int32_t sum = 0;
    for (int32_t k = 0; k < p->depth; k++)
        sum += (a[k * p->a_depth] - p->a_zero) * (b[k * p->b_depth] - p->b_zero);
    sum = micro_scale_twice(sum, p->multiplier, p->exponent) + p->y_zero;
    return (int8_t)micro_clamp(sum, INT8_MIN, INT8_MAX);
}

void micro_matmul_s8_run(const micro_matmul *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t n = 0; n < p->count; n++, a += p->a_next, b += p->b_next) {
        for (int32_t i = 0; i < p->rows; i++)
            for (int32_t j = 0; j < p->columns; j++)
                *y++ = product_s8(p, a + i * p->a_row, b + j * p->b_column);
    }
}

static int16_t product_s16(const micro_matmul *p, const int16_t *a, const int16_t *b)
{
    micro_shift_s16 scale = { p->multiplier, p->exponent };
    int64_t sum = 0;
    for (int32_t k = 0; k < p->depth; k++)
        sum += a[k * p->a_depth] * b[k * p->b_depth];
    return (int16_t)micro_clamp(micro_scale_wide(sum, scale), INT16_MIN, INT16_MAX);
}

void micro_matmul_s16_run(const micro_matmul *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    for (int32_t n = 0; n < p->count; n++, a += p->a_next, b += p->b_next) {
        for (int32_t i = 0; i < p->rows; i++)
            for (int32_t j = 0; j < p->columns; j++)
                *y++ = product_s16(p, a + i * p->a_row, b + j * p->b_column);
    }
}

static float product_f32(const micro_matmul *p, const float *a, const float *b)
{
    float sum = 0.0f;
    for (int32_t k = 0; k < p->depth; k++)
        sum += a[k * p->a_depth] * b[k * p->b_depth];
    return sum;
}

void micro_matmul_f32_run(const micro_matmul *p, const float *a, const float *b, float *y)
{
    for (int32_t n = 0; n < p->count; n++, a += p->a_next, b += p->b_next) {
        for (int32_t i = 0; i < p->rows; i++)
            for (int32_t j = 0; j < p->columns; j++)
                *y++ = product_f32(p, a + i * p->a_row, b + j * p->b_column);
    }
}
