#include "er_simd_pool_s8.h"

#include "er_simd.h"

/* Rows y0 to y1 and columns x0 to x1 of the input that an output pixel sees. */
typedef struct span {
    int32_t y0, y1, x0, x1;
} span;

static span seen(const micro_pool_s8 *p, int32_t pixel)
{
    int32_t top = pixel / p->out_width * p->stride_y - p->top, left = pixel % p->out_width * p->stride_x - p->left;
    span s;
    s.y0 = top < 0 ? 0 : top;
    s.x0 = left < 0 ? 0 : left;
    s.y1 = top + p->window_height < p->height ? top + p->window_height : p->height;
    s.x1 = left + p->window_width < p->width ? left + p->window_width : p->width;
    return s;
}

ER_INLINE er_i32 greater(er_i32 a, er_i32 b)
{
#if defined(ER_AVX512)
    return (er_i32)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (er_i32)_mm256_max_epi32((__m256i)a, (__m256i)b);
#else
    er_i32 first = a > b;
    return (a & first) | (b & ~first);
#endif
}

/* The greatest of a vector of channels, or their sums. */
ER_INLINE er_i32 reduced(const micro_pool_s8 *p, const int8_t *x, span s, int32_t c, int maximum, int whole)
{
    er_i32 found = er_all(maximum ? INT8_MIN : 0);
    for (int32_t row = s.y0; row < s.y1; row++) {
        const int8_t *from = x + ((int64_t)row * p->width + s.x0) * p->depth + c;
        for (int32_t column = s.x0; column < s.x1; column++, from += p->depth) {
            er_i32 value = whole ? er_widen(from) : er_widen_some(from, p->depth - c);
            found = maximum ? greater(found, value) : found + value;
        }
    }
    return found;
}

ER_INLINE er_i32 averaged(const micro_pool_s8 *p, er_i32 sum, int32_t count)
{
    sum += count * p->unsigned_by;
    er_i32 half = er_all(count / 2), sign = (sum <= 0);
    sum += (half ^ sign) - sign;
    /* Exact: an integer is further away than the quotient's rounding. */
    er_f32 quotient = __builtin_convertvector(sum, er_f32) / (float)count;
    return __builtin_convertvector(quotient, er_i32) - p->unsigned_by;
}

ER_INLINE void pool(const micro_pool_s8 *given, const int8_t *x, int8_t *y, int maximum)
{
    micro_pool_s8 settings = *given;
    const micro_pool_s8 *p = &settings;
    er_i32 low = er_all(p->low), high = er_all(p->high);
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->depth) {
        span s = seen(p, pixel);
        int32_t count = (s.y1 - s.y0) * (s.x1 - s.x0), c = 0;
        for (; c < p->depth; c += ER_LANES) {
            int whole = c + ER_LANES <= p->depth;
            er_i32 found = whole ? reduced(p, x, s, c, maximum, 1) : reduced(p, x, s, c, maximum, 0);
            er_i32 out = er_clamp(maximum ? found : averaged(p, found, count), low, high);
            er_store_bytes(y + c, out, p->depth - c);
        }
    }
}

void er_simd_max_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y)
{
    pool(p, x, y, 1);
}

void er_simd_average_pool_s8_run(const micro_pool_s8 *p, const int8_t *x, int8_t *y)
{
    pool(p, x, y, 0);
}
