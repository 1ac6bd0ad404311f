/* Vectors of float: what er_simd.h is for integers. */
#ifndef ER_SIMD_F32_H
#define ER_SIMD_F32_H

#include "er_simd.h"

ER_INLINE er_f32 er_load_f32(const float *from)
{
    er_f32 v;
    memcpy(&v, from, sizeof v);
    return v;
}

ER_INLINE er_f32 er_all_f32(float x)
{
    return x - (er_f32){ 0 };
}

ER_INLINE er_f32 er_multiply_add_f32(er_f32 sum, er_f32 x, er_f32 w)
{
#if defined(ER_AVX512)
    return (er_f32)_mm512_fmadd_ps((__m512)x, (__m512)w, (__m512)sum);
#elif defined(__AVX2__) && defined(__FMA__)
    return (er_f32)_mm256_fmadd_ps((__m256)x, (__m256)w, (__m256)sum);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    return (er_f32)vfmaq_f32((float32x4_t)sum, (float32x4_t)x, (float32x4_t)w);
#else
    return sum + x * w;
#endif
}

/* Of what is no number, too, as comparisons have it: x stays. */
ER_INLINE er_f32 er_clamp_f32(er_f32 x, er_f32 low, er_f32 high)
{
#if defined(ER_AVX512)
    return (er_f32)_mm512_min_ps((__m512)high, _mm512_max_ps((__m512)low, (__m512)x));
#elif defined(__AVX2__)
    return (er_f32)_mm256_min_ps((__m256)high, _mm256_max_ps((__m256)low, (__m256)x));
#else
    er_i32 below = x<low, above = x> high;
    return (er_f32)(((er_i32)high & above) | ((er_i32)low & below) | ((er_i32)x & ~(above | below)));
#endif
}

/* Where a is greater a, else b. */
ER_INLINE er_f32 er_greater_f32(er_f32 a, er_f32 b)
{
#if defined(ER_AVX512)
    return (er_f32)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (er_f32)_mm256_max_ps((__m256)a, (__m256)b);
#else
    er_i32 greater = a > b;
    return (er_f32)(((er_i32)a & greater) | ((er_i32)b & ~greater));
#endif
}

/* The first count floats; the other lanes are 0. */
ER_INLINE er_f32 er_load_some_f32(const float *from, int32_t count)
{
    if (count >= ER_LANES)
        return er_load_f32(from);
#if defined(ER_AVX512)
    return (er_f32)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#else
    float numbers[ER_LANES] = { 0 };
    for (int32_t i = 0; i < count; i++)
        numbers[i] = from[i];
    return er_load_f32(numbers);
#endif
}

/* The first count of a vector. */
ER_INLINE void er_store_f32(float *to, er_f32 x, int32_t count)
{
    if (count >= ER_LANES) {
        memcpy(to, &x, sizeof x);
        return;
    }
#if defined(ER_AVX512)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)x);
#else
    float numbers[ER_LANES];
    memcpy(numbers, &x, sizeof x);
    for (int32_t i = 0; i < count; i++)
        to[i] = numbers[i];
#endif
}

#endif
