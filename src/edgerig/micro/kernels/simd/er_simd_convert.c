#include "er_simd_convert.h"

#include "er_simd_f32.h"

ER_INLINE er_f32 within(er_f32 x, float limit)
{
    /* What is no number becomes the lower limit, as in micro_quantize_s8. */
    er_f32 low = er_all_f32(-limit), high = er_all_f32(limit);
    er_i32 below = ~(x > low), above = x > high;
    return (er_f32)(((er_i32)high & above) | ((er_i32)low & below) | ((er_i32)x & ~(above | below)));
}

void er_simd_quantize_s8(const float *x, int8_t *y, int32_t count, float scale, int32_t zero)
{
    er_i32 low = er_all(INT8_MIN), high = er_all(INT8_MAX);
    for (int32_t i = 0; i < count; i += ER_LANES) {
        er_f32 limited = within(er_load_some_f32(x + i, count - i) / scale, 1e6f);
        er_i32 whole = __builtin_convertvector(limited, er_i32);
        er_f32 rest = limited - __builtin_convertvector(whole, er_f32);
        /* Comparisons are -1 where they hold. */
        er_i32 value = whole - (rest >= 0.5f) + (rest <= -0.5f) + zero;
        er_store_bytes(y + i, er_clamp(value, low, high), count - i);
    }
}
