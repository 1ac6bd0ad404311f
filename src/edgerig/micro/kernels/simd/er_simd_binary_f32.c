#include "er_simd_binary_f32.h"

#include "er_simd_f32.h"

typedef micro_binary_f32 er_binary;
typedef float er_number;
#include "er_simd_lines.h"

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

MICRO_BINARY_F32(er_simd_add_f32_run)
{
    lines(p, ADD, a, b, y);
}

MICRO_BINARY_F32(er_simd_sub_f32_run)
{
    lines(p, SUB, a, b, y);
}

MICRO_BINARY_F32(er_simd_mul_f32_run)
{
    lines(p, MUL, a, b, y);
}
