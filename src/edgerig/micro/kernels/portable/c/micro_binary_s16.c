#include "micro_binary_s16.h"

#include "micro_requantize.h"

/* Both sides of a sum are shifted left by so many bits before they are brought to one scale. */
#define LEFT_SHIFT 15

typedef int32_t (*operation)(const micro_binary_s8 *p, int32_t a, int32_t b);

static void walk(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y, operation of)
{
    const int32_t *n = p->size, *s = p->step_a, *t = p->step_b;
    for (int32_t h = 0; h < n[0]; h++)
        for (int32_t i = 0; i < n[1]; i++)
            for (int32_t j = 0; j < n[2]; j++)
                for (int32_t k = 0; k < n[3]; k++) {
                    const int16_t *from_a = a + h * s[0] + i * s[1] + j * s[2] + k * s[3];
                    const int16_t *from_b = b + h * t[0] + i * t[1] + j * t[2] + k * t[3];
                    for (int32_t m = 0; m < n[4]; m++)
                        *y++ = (int16_t)micro_clamp(of(p, from_a[m * s[4]], from_b[m * t[4]]), p->low, p->high);
                }
}

static int32_t scaled(micro_scale scale, int32_t x)
{
    return micro_scale_twice(x, scale.multiplier, scale.exponent);
}

static int32_t add(const micro_binary_s8 *p, int32_t a, int32_t b)
{
    return scaled(p->y, scaled(p->a, a * (1 << LEFT_SHIFT)) + scaled(p->b, b * (1 << LEFT_SHIFT)));
}

static int32_t sub(const micro_binary_s8 *p, int32_t a, int32_t b)
{
    return scaled(p->y, scaled(p->a, a * (1 << LEFT_SHIFT)) - scaled(p->b, b * (1 << LEFT_SHIFT)));
}

static int32_t mul(const micro_binary_s8 *p, int32_t a, int32_t b)
{
    return scaled(p->y, a * b);
}

static int32_t greater(const micro_binary_s8 *p, int32_t a, int32_t b)
{
    (void)p;
    return a > b ? a : b;
}

static int32_t smaller(const micro_binary_s8 *p, int32_t a, int32_t b)
{
    (void)p;
    return a < b ? a : b;
}

void micro_add_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    walk(p, a, b, y, add);
}

void micro_sub_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    walk(p, a, b, y, sub);
}

void micro_mul_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    walk(p, a, b, y, mul);
}

void micro_maximum_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    walk(p, a, b, y, greater);
}

void micro_minimum_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    walk(p, a, b, y, smaller);
}
