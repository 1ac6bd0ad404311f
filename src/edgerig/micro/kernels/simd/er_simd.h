/*
 * Vectors of x86-64 and aarch64 by the extensions of GCC and clang: as wide as the processor that is compiled for has
 * them (-march=native, or what the target is called), SSE2 or NEON where nothing is said.
 *
 * Packed weights do not depend on that: blocks of 16 output channels, which are 1, 2 or 4 vectors.
 */
#ifndef ER_SIMD_H
#define ER_SIMD_H

#include <string.h>

#include "er_shapes.h"

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define ER_AVX512 1
#define ER_LANES 16
#elif defined(__AVX2__)
#define ER_LANES 8
#else
#define ER_LANES 4
#endif
#define ER_VECTORS (ER_BLOCK / ER_LANES) /* of a block */

#define ER_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define ER_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ER_UNROLL _Pragma("GCC unroll 16")
#endif

typedef int32_t er_i32 __attribute__((vector_size(4 * ER_LANES)));
typedef uint32_t er_u32 __attribute__((vector_size(4 * ER_LANES)));
typedef int64_t er_i64 __attribute__((vector_size(8 * ER_LANES)));
typedef int8_t er_i8 __attribute__((vector_size(ER_LANES)));
typedef float er_f32 __attribute__((vector_size(4 * ER_LANES)));

ER_INLINE er_i32 er_load(const int32_t *from)
{
    er_i32 v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* int8 to int32: by name, since GCC 12 converts such vectors one by one. */
ER_INLINE er_i32 er_widen(const int8_t *from)
{
#if defined(ER_AVX512)
    return (er_i32)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
#elif defined(__AVX2__)
    return (er_i32)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
#elif defined(__SSE2__)
    int32_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    __m128i v = _mm_cvtsi32_si128(bytes);
    v = _mm_unpacklo_epi8(v, v);
    return (er_i32)_mm_srai_epi32(_mm_unpacklo_epi16(v, v), 24);
#elif defined(__ARM_NEON)
    int32_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return (er_i32)vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(bytes)))));
#else
    er_i8 v;
    memcpy(&v, from, sizeof v);
    return __builtin_convertvector(v, er_i32);
#endif
}

/* int32 within int8 to int8. */
ER_INLINE er_i8 er_narrow(er_i32 x)
{
#if defined(ER_AVX512)
    return (er_i8)_mm512_cvtepi32_epi8((__m512i)x);
#elif defined(__AVX2__)
    __m128i low = _mm256_castsi256_si128((__m256i)x), high = _mm256_extracti128_si256((__m256i)x, 1);
    __m128i halves = _mm_packs_epi32(low, high), bytes = _mm_packs_epi16(halves, halves);
    er_i8 v;
    memcpy(&v, &bytes, sizeof v);
    return v;
#elif defined(__SSE2__)
    __m128i halves = _mm_packs_epi32((__m128i)x, (__m128i)x), bytes = _mm_packs_epi16(halves, halves);
    er_i8 v;
    memcpy(&v, &bytes, sizeof v);
    return v;
#else
    return __builtin_convertvector(x, er_i8);
#endif
}

/* Of the first count bytes alone; the other lanes are 0. */
ER_INLINE er_i32 er_widen_some(const int8_t *from, int32_t count)
{
#if defined(ER_AVX512)
    if (count < ER_LANES)
        return (er_i32)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), from));
#endif
    if (count >= ER_LANES)
        return er_widen(from);
    int8_t bytes[ER_LANES] = { 0 };
    for (int32_t i = 0; i < count; i++)
        bytes[i] = from[i];
    return er_widen(bytes);
}

ER_INLINE er_i32 er_all(int32_t x)
{
    return x - (er_i32){ 0 };
}

/* Sums may wrap around: those of biased activations do before the bias is taken off. */
ER_INLINE er_i32 er_sum(er_i32 a, er_i32 b)
{
    return (er_i32)((er_u32)a + (er_u32)b);
}

ER_INLINE er_i32 er_clamp(er_i32 x, er_i32 low, er_i32 high)
{
#if defined(ER_AVX512)
    return (er_i32)_mm512_min_epi32(_mm512_max_epi32((__m512i)x, (__m512i)low), (__m512i)high);
#elif defined(__AVX2__)
    return (er_i32)_mm256_min_epi32(_mm256_max_epi32((__m256i)x, (__m256i)low), (__m256i)high);
#else
    er_i32 below = x<low, above = x> high;
    return (high & above) | (low & below) | (x & ~(above | below));
#endif
}

/* x * y / 2^31, halves up, of y from 0: as micro_doubling_high. */
ER_INLINE er_i32 er_doubling_high(er_i32 x, er_i32 y)
{
#if defined(ER_AVX512)
    __m512i half = _mm512_set1_epi64((int64_t)1 << 30), a = (__m512i)x, b = (__m512i)y;
    __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a, b), half);
    __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32)), half);
    return (er_i32)_mm512_mask_mov_epi32(_mm512_srli_epi64(even, 31), 0xAAAA, _mm512_slli_epi64(odd, 1));
#elif defined(__AVX2__)
    __m256i half = _mm256_set1_epi64x((int64_t)1 << 30), a = (__m256i)x, b = (__m256i)y;
    __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
    return (er_i32)_mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
#elif defined(__ARM_NEON)
    return (er_i32)vqrdmulhq_s32((int32x4_t)x, (int32x4_t)y);
#else
    er_i64 product = __builtin_convertvector(x, er_i64) * __builtin_convertvector(y, er_i64);
    return __builtin_convertvector((product + ((int64_t)1 << 30)) >> 31, er_i32);
#endif
}

/* (x * y + half) / 2^shift rounded down, shift from 1 to 62, of results that fit into 32 bits; half is 2^(shift - 1). */
ER_INLINE er_i32 er_scale_once(er_i32 x, er_i32 y, er_i32 shift)
{
#if defined(ER_AVX512)
    __m512i a = (__m512i)x, b = (__m512i)y, one = _mm512_set1_epi64(1);
    __m512i low = _mm512_and_si512((__m512i)shift, _mm512_set1_epi64(63)), high = _mm512_srli_epi64((__m512i)shift, 32);
    __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a, b), _mm512_srli_epi64(_mm512_sllv_epi64(one, low), 1));
    __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    odd = _mm512_srav_epi64(_mm512_add_epi64(odd, _mm512_srli_epi64(_mm512_sllv_epi64(one, high), 1)), high);
    return (er_i32)_mm512_mask_mov_epi32(_mm512_srav_epi64(even, low), 0xAAAA, _mm512_slli_epi64(odd, 32));
#else
    er_i64 steps = __builtin_convertvector(shift, er_i64), one = steps - steps + 1;
    er_i64 product = __builtin_convertvector(x, er_i64) * __builtin_convertvector(y, er_i64);
    return __builtin_convertvector((product + (one << (steps - 1))) >> steps, er_i32);
#endif
}

/*
 * How a vector of sums is scaled: left, times multiplier / 2^31, then / 2^right with halves away from zero, as
 * micro_scale_twice. The last is done in two shifts, so that no sum of 32 bits overflows: by all but one of the bits,
 * then by the last one, which is 1 where there is any.
 */
typedef struct er_scaling {
    er_i32 multiplier, left, but_one, last;
} er_scaling;

ER_INLINE er_scaling er_scaling_of(er_i32 multiplier, er_i32 left, er_i32 right)
{
    er_i32 last = -(right > 0);
    return (er_scaling){ multiplier, left, right - last, last };
}

ER_INLINE er_i32 er_scale_twice(er_i32 x, er_scaling s)
{
    er_i32 high = er_doubling_high((er_i32)((er_u32)x << (er_u32)s.left), s.multiplier);
    return (((high - (er_i32)((er_u32)(high) >> 31 & (er_u32)s.last)) >> s.but_one) + s.last) >> s.last;
}

ER_INLINE er_scaling er_scaling_at(const er_scales *s, int lane)
{
    return er_scaling_of(er_load(s->multiplier + lane), er_load(s->left + lane), er_load(s->right + lane));
}

/* The first count of a vector of numbers within int8. */
ER_INLINE void er_store_bytes(int8_t *to, er_i32 x, int32_t count)
{
#if defined(ER_AVX512)
    if (count < ER_LANES) {
        _mm512_mask_cvtepi32_storeu_epi8(to, (__mmask16)((1u << count) - 1), (__m512i)x);
        return;
    }
#endif
    er_i8 v = er_narrow(x);
    if (count >= ER_LANES) {
        memcpy(to, &v, sizeof v);
        return;
    }
    int8_t bytes[ER_LANES];
    memcpy(bytes, &v, sizeof v);
    for (int32_t i = 0; i < count; i++)
        to[i] = bytes[i];
}

/*
 * Four products of bytes to each of 32 bits: er_weights are 4 * ER_LANES bytes, er_inputs 4 bytes for all lanes. Inputs
 * are bytes that were exclusive-ored with ER_FLIP, by which they are 128 more and not negative.
 */
#if defined(ER_AVX512) && defined(__AVX512VNNI__)
#define ER_FLIP 0x80
typedef __m512i er_weights;
typedef __m512i er_inputs;

ER_INLINE er_weights er_load_weights(const int8_t *from)
{
    return _mm512_loadu_si512(from);
}

ER_INLINE er_inputs er_load_inputs(const int8_t *from)
{
    int32_t x;
    memcpy(&x, from, sizeof x);
    return _mm512_set1_epi32(x);
}

ER_INLINE er_i32 er_dot(er_i32 sum, er_inputs x, er_weights w)
{
    return (er_i32)_mm512_dpbusd_epi32((__m512i)sum, x, w);
}
#elif defined(__AVX2__) && defined(__AVXVNNI__) && !defined(ER_AVX512)
#define ER_FLIP 0x80
typedef __m256i er_weights;
typedef __m256i er_inputs;

ER_INLINE er_weights er_load_weights(const int8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

ER_INLINE er_inputs er_load_inputs(const int8_t *from)
{
    int32_t x;
    memcpy(&x, from, sizeof x);
    return _mm256_set1_epi32(x);
}

ER_INLINE er_i32 er_dot(er_i32 sum, er_inputs x, er_weights w)
{
    return (er_i32)_mm256_dpbusd_avx_epi32((__m256i)sum, x, w);
}
#elif defined(__ARM_FEATURE_DOTPROD)
#define ER_FLIP 0
typedef int8x16_t er_weights;
typedef int8x16_t er_inputs;

ER_INLINE er_weights er_load_weights(const int8_t *from)
{
    return vld1q_s8(from);
}

ER_INLINE er_inputs er_load_inputs(const int8_t *from)
{
    int32_t x;
    memcpy(&x, from, sizeof x);
    return vreinterpretq_s8_s32(vdupq_n_s32(x));
}

ER_INLINE er_i32 er_dot(er_i32 sum, er_inputs x, er_weights w)
{
    return (er_i32)vdotq_s32((int32x4_t)sum, w, x);
}
#elif defined(__SSE2__)
/* Even and odd bytes as pairs of 16 bits. */
#define ER_FLIP 0
typedef int16_t er_i16 __attribute__((vector_size(4 * ER_LANES)));
typedef struct er_pairs {
    er_i16 even, odd;
} er_pairs;
typedef er_pairs er_weights;
typedef er_pairs er_inputs;

ER_INLINE er_pairs er_split(er_i32 bytes)
{
    er_i16 v = (er_i16)bytes;
    return (er_pairs){ (v << 8) >> 8, v >> 8 };
}

ER_INLINE er_weights er_load_weights(const int8_t *from)
{
    er_i32 v;
    memcpy(&v, from, sizeof v);
    return er_split(v);
}

ER_INLINE er_inputs er_load_inputs(const int8_t *from)
{
    int32_t x;
    memcpy(&x, from, sizeof x);
    return er_split(er_all(x));
}

ER_INLINE er_i32 er_pair_products(er_i16 x, er_i16 w)
{
#if defined(ER_AVX512)
    return (er_i32)_mm512_madd_epi16((__m512i)x, (__m512i)w);
#elif defined(__AVX2__)
    return (er_i32)_mm256_madd_epi16((__m256i)x, (__m256i)w);
#else
    return (er_i32)_mm_madd_epi16((__m128i)x, (__m128i)w);
#endif
}

ER_INLINE er_i32 er_dot(er_i32 sum, er_inputs x, er_weights w)
{
    return er_sum(er_sum(sum, er_pair_products(x.even, w.even)), er_pair_products(x.odd, w.odd));
}
#else
#define ER_FLIP 0
typedef struct er_fours {
    er_i32 byte[4];
} er_fours;
typedef er_fours er_weights;
typedef er_fours er_inputs;

ER_INLINE er_fours er_split(er_i32 v)
{
    return (er_fours){ { (er_i32)((er_u32)v << 24) >> 24, (er_i32)((er_u32)v << 16) >> 24,
                         (er_i32)((er_u32)v << 8) >> 24, v >> 24 } };
}

ER_INLINE er_weights er_load_weights(const int8_t *from)
{
    er_i32 v;
    memcpy(&v, from, sizeof v);
    return er_split(v);
}

ER_INLINE er_inputs er_load_inputs(const int8_t *from)
{
    int32_t x;
    memcpy(&x, from, sizeof x);
    return er_split(er_all(x));
}

ER_INLINE er_i32 er_dot(er_i32 sum, er_inputs x, er_weights w)
{
    for (int i = 0; i < 4; i++)
        sum += x.byte[i] * w.byte[i];
    return sum;
}
#endif

/* A weight within int16 as er_multiply_add takes it: where that multiplies pairs, the other one is 0. */
ER_INLINE er_i32 er_factor(const int32_t *from)
{
#if defined(__SSE2__)
    return er_load(from) & 0xFFFF;
#else
    return er_load(from);
#endif
}

/* sum + x * w, of x within int16. */
ER_INLINE er_i32 er_multiply_add(er_i32 sum, er_i32 x, er_i32 w)
{
#if defined(ER_AVX512) && defined(__AVX512VNNI__)
    return (er_i32)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif defined(ER_AVX512)
    return sum + (er_i32)_mm512_madd_epi16((__m512i)x, (__m512i)w);
#elif defined(__AVX2__)
    return sum + (er_i32)_mm256_madd_epi16((__m256i)x, (__m256i)w);
#elif defined(__SSE2__)
    return sum + (er_i32)_mm_madd_epi16((__m128i)x, (__m128i)w);
#else
    return sum + x * w;
#endif
}

#endif
