#include "er_simd_binary_f32.h"

#include "er_simd_f32.h"

enum { ADD, SUB, MUL };

/* Elements that lie one behind the other, or the first one for all: count of them. */
ER_INLINE er_f32 get(const float *from, int32_t step, int32_t count)
{
    return step ? er_load_some_f32(from, count) : er_all_f32(from[0]);
}

ER_INLINE void line(const micro_binary_f32 *p, int operation, const float *a, const float *b, float *y)
{
    int32_t count = p->size[4], step_a = p->step_a[4], step_b = p->step_b[4];
    er_f32 low = er_all_f32(p->low), high = er_all_f32(p->high);
    for (int32_t i = 0; i < count; i += ER_LANES) {
        er_f32 first = get(a + i * step_a, step_a, count - i), second = get(b + i * step_b, step_b, count - i);
        er_f32 value = operation == ADD ? first + second : operation == SUB ? first - second : first * second;
        er_store_f32(y + i, er_clamp_f32(value, low, high), count - i);
    }
}

ER_INLINE void walk(const micro_binary_f32 *p, int operation, const float *a, const float *b, float *y)
{
    micro_binary_f32 settings = *p;
    const int32_t *n = settings.size, *s = settings.step_a, *t = settings.step_b;
    for (int32_t h = 0; h < n[0]; h++) {
        for (int32_t i = 0; i < n[1]; i++) {
            for (int32_t j = 0; j < n[2]; j++) {
                for (int32_t k = 0; k < n[3]; k++, y += n[4])
                    line(&settings, operation, a + h * s[0] + i * s[1] + j * s[2] + k * s[3],
                         b + h * t[0] + i * t[1] + j * t[2] + k * t[3], y);
            }
        }
    }
}

MICRO_BINARY_F32(er_simd_add_f32_run)
{
    walk(p, ADD, a, b, y);
}

MICRO_BINARY_F32(er_simd_sub_f32_run)
{
    walk(p, SUB, a, b, y);
}

MICRO_BINARY_F32(er_simd_mul_f32_run)
{
    walk(p, MUL, a, b, y);
}
