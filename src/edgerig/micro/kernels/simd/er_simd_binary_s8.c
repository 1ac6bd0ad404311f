#include "er_simd_binary_s8.h"

typedef micro_binary_s8 er_binary;
typedef int8_t er_number;
#include "er_simd_lines.h"

/* Both sides of a sum are shifted left by so many bits before they are brought to one scale. */
#define LEFT_SHIFT 20

ER_INLINE er_scaling scaling(micro_scale scale)
{
    int32_t left = scale.exponent > 0 ? scale.exponent : 0;
    return er_scaling_of(er_all(scale.multiplier), er_all(left), er_all(left - scale.exponent));
}

/* Elements that lie one behind the other, or the first one for all: count of them. */
ER_INLINE er_i32 get(const int8_t *from, int32_t step, int32_t zero, int32_t count)
{
    return step ? er_widen_some(from, count) - zero : er_all(from[0] - zero);
}

ER_INLINE void line(const micro_binary_s8 *p, int operation, const int8_t *a, const int8_t *b, int8_t *y)
{
    int32_t count = p->size[4], step_a = p->step_a[4], step_b = p->step_b[4], zero_a = p->zero_a, zero_b = p->zero_b;
    er_scaling scale_a = scaling(p->a), scale_b = scaling(p->b), scale_y = scaling(p->y);
    er_i32 zero = er_all(p->zero_y), low = er_all(p->low), high = er_all(p->high);
    for (int32_t i = 0; i < count; i += ER_LANES) {
        er_i32 first = get(a + i * step_a, step_a, zero_a, count - i);
        er_i32 second = get(b + i * step_b, step_b, zero_b, count - i);
        er_i32 sum;
        if (operation == MUL) {
            sum = first * second;
        } else {
            first = er_scale_twice(first << LEFT_SHIFT, scale_a);
            second = er_scale_twice(second << LEFT_SHIFT, scale_b);
            sum = operation == ADD ? first + second : first - second;
        }
        er_store_bytes(y + i, er_clamp(er_scale_twice(sum, scale_y) + zero, low, high), count - i);
    }
}

MICRO_BINARY_S8(er_simd_add_s8_run)
{
    lines(p, ADD, a, b, y);
}

MICRO_BINARY_S8(er_simd_sub_s8_run)
{
    lines(p, SUB, a, b, y);
}

MICRO_BINARY_S8(er_simd_mul_s8_run)
{
    lines(p, MUL, a, b, y);
}
