#include "er_simd_conv_f32.h"

#include "er_simd_f32.h"
#include "er_simd_pad.h"

typedef er_simd_conv_f32 er_tiled;
typedef float er_number;
#include "er_simd_tiles.h"

ER_INLINE void finish(const er_simd_conv_f32 *p, const er_f32 *sums, int pixels, int blocks, int32_t block, float *y)
{
    er_f32 low = er_all_f32(p->low), high = er_all_f32(p->high);
    ER_UNROLL
    for (int v = 0; v < blocks * ER_VECTORS; v++) {
        int32_t channel = block * ER_BLOCK + v * ER_LANES, left = p->channels - channel;
        if (left <= 0)
            return;
        er_f32 bias = er_load_f32(p->bias + channel);
        ER_UNROLL
        for (int i = 0; i < pixels; i++)
            er_store_f32(y + i * p->channels + channel,
                         er_clamp_f32(sums[i * blocks * ER_VECTORS + v] + bias, low, high), left);
    }
}

ER_INLINE void tile(const er_simd_conv_f32 *p, int pixels, int blocks, int32_t pixel, int32_t block,
                    const float *padded, float *y)
{
    int64_t next = (int64_t)p->runs * p->length * ER_BLOCK;
    const float *at[PIXELS], *w = p->weights + block * next;
    er_f32 sums[PIXELS * LONE * ER_VECTORS];
    ER_UNROLL
    for (int i = 0; i < pixels; i++)
        at[i] = seen(p, padded, pixel + i);
    ER_UNROLL
    for (int i = 0; i < pixels * blocks * ER_VECTORS; i++)
        sums[i] = er_all_f32(0.0f);
    for (int32_t run = 0; run < p->runs; run++) {
        int32_t offset = p->offsets[run];
        for (int32_t k = offset; k < offset + p->length; k++, w += ER_BLOCK) {
            er_f32 ws[LONE * ER_VECTORS];
            ER_UNROLL
            for (int b = 0; b < blocks; b++) {
                ER_UNROLL
                for (int v = 0; v < ER_VECTORS; v++)
                    ws[b * ER_VECTORS + v] = er_load_f32(w + b * next + v * ER_LANES);
            }
            ER_UNROLL
            for (int i = 0; i < pixels; i++) {
                er_f32 x = er_all_f32(at[i][k]);
                ER_UNROLL
                for (int v = 0; v < blocks * ER_VECTORS; v++)
                    sums[i * blocks * ER_VECTORS + v] =
                        er_multiply_add_f32(sums[i * blocks * ER_VECTORS + v], x, ws[v]);
            }
        }
    }
    finish(p, sums, pixels, blocks, block, y + (int64_t)pixel * p->channels);
}

void er_simd_conv_f32_run(const er_simd_conv_f32 *given, const float *x, float *y, float *padded)
{
    er_simd_conv_f32 settings = *given;
    const er_simd_conv_f32 *p = &settings;
    er_simd_pad(&p->image, (const int8_t *)x, (int8_t *)padded, 0, 0);
    tiles(p, padded, y);
}

/* Weights of so many taps stay in registers. */
#define SMALL 9

/* All pixels of a vector of channels from c on. */
ER_INLINE void lanes(const er_simd_conv_f32 *p, const float *padded, float *y, int32_t c, int small)
{
    const float *w = p->weights + (int64_t)(c / ER_BLOCK) * p->runs * ER_BLOCK + c % ER_BLOCK;
    er_f32 low = er_all_f32(p->low), high = er_all_f32(p->high), bias = er_load_f32(p->bias + c), kept[SMALL];
    if (small) {
        ER_UNROLL
        for (int t = 0; t < SMALL; t++)
            kept[t] = er_load_f32(w + t * ER_BLOCK);
    }
    for (int32_t pixel = 0; pixel < p->pixels; pixel++) {
        const float *from = seen(p, padded, pixel) + c;
        er_f32 sum = bias;
        if (small) {
            ER_UNROLL
            for (int t = 0; t < SMALL; t++)
                sum = er_multiply_add_f32(sum, er_load_f32(from + p->offsets[t]), kept[t]);
        } else {
            for (int32_t t = 0; t < p->runs; t++)
                sum = er_multiply_add_f32(sum, er_load_f32(from + p->offsets[t]), er_load_f32(w + t * ER_BLOCK));
        }
        er_store_f32(y + (int64_t)pixel * p->channels + c, er_clamp_f32(sum, low, high), p->channels - c);
    }
}

void er_simd_depthwise_f32_run(const er_simd_conv_f32 *given, const float *x, float *y, float *padded)
{
    er_simd_conv_f32 settings = *given;
    const er_simd_conv_f32 *p = &settings;
    er_simd_pad(&p->image, (const int8_t *)x, (int8_t *)padded, 0, 0);
    for (int32_t c = 0; c < p->channels; c += ER_LANES) {
        if (p->runs == SMALL)
            lanes(p, padded, y, c, 1);
        else
            lanes(p, padded, y, c, 0);
    }
}
