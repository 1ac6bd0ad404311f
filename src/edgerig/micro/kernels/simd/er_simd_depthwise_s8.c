#include "er_simd_depthwise_s8.h"

#include "er_simd.h"
#include "er_simd_pad.h"

/* Weights of so many taps stay in registers. */
#define SMALL 9

ER_INLINE er_i32 window(const er_simd_depthwise_s8 *p, const int8_t *from, const int32_t *w, const er_i32 *kept,
                        int small)
{
    er_i32 sum = er_all(0);
    if (small) {
        ER_UNROLL
        for (int t = 0; t < SMALL; t++)
            sum = er_multiply_add(sum, er_widen(from + p->offsets[t]), kept[t]);
    } else {
        for (int32_t t = 0; t < p->taps; t++)
            sum = er_multiply_add(sum, er_widen(from + p->offsets[t]), er_factor(w + (int64_t)t * ER_BLOCK));
    }
    return sum;
}

/* All pixels of a vector of channels from c on. */
ER_INLINE void lanes(const er_simd_depthwise_s8 *p, const int8_t *padded, int8_t *y, int32_t c, int small)
{
    const er_scales *s = p->scales + c / ER_BLOCK;
    const int32_t *w = p->weights + (int64_t)(c / ER_BLOCK) * p->taps * ER_BLOCK + c % ER_BLOCK;
    er_i32 zero = er_all(p->output_zero), low = er_all(p->low), high = er_all(p->high);
    er_i32 bias = er_load(s->bias + c % ER_BLOCK), kept[SMALL];
    er_scaling scaling = er_scaling_at(s, c % ER_BLOCK);
    if (small) {
        ER_UNROLL
        for (int t = 0; t < SMALL; t++)
            kept[t] = er_factor(w + t * ER_BLOCK);
    }
    y += c;
    for (int32_t i = 0; i < p->out_height; i++) {
        const int8_t *from = padded + (int64_t)i * p->stride_y * p->image.columns * p->image.pixel + c;
        for (int32_t j = 0; j < p->out_width; j++, from += p->stride_x * p->image.pixel, y += p->channels) {
            er_i32 sum = er_sum(window(p, from, w, kept, small), bias);
            er_store_bytes(y, er_clamp(er_scale_twice(sum, scaling) + zero, low, high), p->channels - c);
        }
    }
}

void er_simd_depthwise_s8_run(const er_simd_depthwise_s8 *given, const int8_t *x, int8_t *y, int8_t *padded)
{
    /* A copy, which what is written cannot change. */
    er_simd_depthwise_s8 settings = *given;
    const er_simd_depthwise_s8 *p = &settings;
    er_simd_pad(&p->image, x, padded, p->input_zero, 0);
    for (int32_t c = 0; c < p->channels; c += ER_LANES) {
        if (p->taps == SMALL)
            lanes(p, padded, y, c, 1);
        else
            lanes(p, padded, y, c, 0);
    }
}
