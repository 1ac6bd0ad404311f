#include "er_simd_pool_f32.h"

#include <float.h>

#include "er_simd_f32.h"

/* Rows y0 to y1 and columns x0 to x1 of the input that an output pixel sees. */
typedef struct span {
    int32_t y0, y1, x0, x1;
} span;

static span seen(const micro_image_f32 *p, int32_t pixel)
{
    int32_t top = pixel / p->out_width * p->stride_y - p->top, left = pixel % p->out_width * p->stride_x - p->left;
    span s;
    s.y0 = top < 0 ? 0 : top;
    s.x0 = left < 0 ? 0 : left;
    s.y1 = top + p->kernel_height < p->height ? top + p->kernel_height : p->height;
    s.x1 = left + p->kernel_width < p->width ? left + p->kernel_width : p->width;
    return s;
}

/* The greatest of a vector of channels, or their sums. */
ER_INLINE er_f32 reduced(const micro_image_f32 *p, const float *x, span s, int32_t c, int maximum, int whole)
{
    er_f32 found = er_all_f32(maximum ? -FLT_MAX : 0.0f);
    for (int32_t row = s.y0; row < s.y1; row++) {
        const float *from = x + ((int64_t)row * p->width + s.x0) * p->depth + c;
        for (int32_t column = s.x0; column < s.x1; column++, from += p->depth) {
            er_f32 value = whole ? er_load_f32(from) : er_load_some_f32(from, p->depth - c);
            found = maximum ? er_greater_f32(value, found) : found + value;
        }
    }
    return found;
}

ER_INLINE void pool(const micro_image_f32 *given, const float *x, float *y, int maximum)
{
    micro_image_f32 settings = *given;
    const micro_image_f32 *p = &settings;
    er_f32 low = er_all_f32(p->low), high = er_all_f32(p->high);
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->depth) {
        span s = seen(p, pixel);
        float count = (float)((s.y1 - s.y0) * (s.x1 - s.x0));
        for (int32_t c = 0; c < p->depth; c += ER_LANES) {
            int whole = c + ER_LANES <= p->depth;
            er_f32 found = whole ? reduced(p, x, s, c, maximum, 1) : reduced(p, x, s, c, maximum, 0);
            er_store_f32(y + c, er_clamp_f32(maximum ? found : found / count, low, high), p->depth - c);
        }
    }
}

void er_simd_max_pool_f32_run(const micro_image_f32 *p, const float *x, float *y)
{
    pool(p, x, y, 1);
}

void er_simd_average_pool_f32_run(const micro_image_f32 *p, const float *x, float *y)
{
    pool(p, x, y, 0);
}
