#include "micro_binary_s8.h"

#include "micro_requantize.h"

/* Both sides are moved left by so many bits before they are brought to one scale. */
#define LEFT_SHIFT 20

static int32_t scaled(micro_scale scale, int32_t x)
{
    return micro_scale_twice(x, scale.multiplier, scale.exponent);
}

static int8_t sum(const micro_binary_s8 *p, int8_t a, int8_t b)
{
    int32_t first = scaled(p->a, (a - p->zero_a) * (1 << LEFT_SHIFT));
    int32_t second = scaled(p->b, (b - p->zero_b) * (1 << LEFT_SHIFT));
    return (int8_t)micro_clamp(scaled(p->y, first + p->sign * second) + p->zero_y, p->low, p->high);
}

static int8_t product(const micro_binary_s8 *p, int8_t a, int8_t b)
{
    return (int8_t)micro_clamp(scaled(p->y, (a - p->zero_a) * (b - p->zero_b)) + p->zero_y, p->low, p->high);
}

typedef int8_t (*operation)(const micro_binary_s8 *p, int8_t a, int8_t b);

static void run(const micro_binary_s8 *p, const int8_t *a, const int8_t *b, int8_t *y, operation one)
{
    const int32_t *n = p->size, *s = p->step_a, *t = p->step_b;
    for (int32_t h = 0; h < n[0]; h++) {
        for (int32_t i = 0; i < n[1]; i++) {
            for (int32_t j = 0; j < n[2]; j++) {
                for (int32_t k = 0; k < n[3]; k++) {
                    const int8_t *from_a = a + h * s[0] + i * s[1] + j * s[2] + k * s[3];
                    const int8_t *from_b = b + h * t[0] + i * t[1] + j * t[2] + k * t[3];
                    for (int32_t m = 0; m < n[4]; m++)
                        *y++ = one(p, from_a[m * s[4]], from_b[m * t[4]]);
                }
            }
        }
    }
}

void micro_add_s8_run(const micro_binary_s8 *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    run(p, a, b, y, sum);
}

void micro_mul_s8_run(const micro_binary_s8 *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    run(p, a, b, y, product);
}
