#include "er_simd_conv_s8.h"

#include "er_simd_pad.h"

typedef er_simd_conv_s8 er_tiled;
typedef int8_t er_number;
#include "er_simd_tiles.h"

/* sums: of each pixel those of all vectors. */
ER_INLINE void finish(const er_simd_conv_s8 *p, const er_i32 *sums, int pixels, int blocks, int32_t block, int8_t *y)
{
    er_i32 zero = er_all(p->output_zero), low = er_all(p->low), high = er_all(p->high);
    for (int v = 0; v < blocks * ER_VECTORS; v++) {
        const er_scales *s = p->scales + block + v / ER_VECTORS;
        int lane = v % ER_VECTORS * ER_LANES;
        int32_t channel = block * ER_BLOCK + v * ER_LANES, left = p->channels - channel;
        if (left <= 0)
            return;
        er_i32 bias = er_load(s->bias + lane);
        if (ER_FLIP)
            bias = er_sum(bias, -er_load(s->weights + lane));
        er_scaling scaling = er_scaling_at(s, lane);
        for (int i = 0; i < pixels; i++) {
            er_i32 sum = er_sum(sums[i * blocks * ER_VECTORS + v], bias);
            er_i32 out = p->once ? er_scale_once(sum, scaling.multiplier, er_load(s->right + lane))
                                 : er_scale_twice(sum, scaling);
            er_store_bytes(y + (int64_t)i * p->channels + channel, er_clamp(out + zero, low, high), left);
        }
    }
}

ER_INLINE void tile(const er_simd_conv_s8 *p, int pixels, int blocks, int32_t pixel, int32_t block,
                    const int8_t *padded, int8_t *y)
{
    const int8_t *at[PIXELS], *w = p->weights + (int64_t)block * p->steps * 4 * ER_BLOCK;
    int64_t next = (int64_t)p->steps * 4 * ER_BLOCK;
    er_i32 sums[PIXELS * LONE * ER_VECTORS];
    ER_UNROLL
    for (int i = 0; i < pixels; i++)
        at[i] = seen(p, padded, pixel + i);
    ER_UNROLL
    for (int i = 0; i < pixels * blocks * ER_VECTORS; i++)
        sums[i] = er_all(0);
    for (int32_t k = 0; k < p->steps; k++, w += 4 * ER_BLOCK) {
        int32_t offset = p->offsets[k];
        er_weights ws[LONE * ER_VECTORS];
        ER_UNROLL
        for (int b = 0; b < blocks; b++) {
            ER_UNROLL
            for (int v = 0; v < ER_VECTORS; v++)
                ws[b * ER_VECTORS + v] = er_load_weights(w + b * next + v * 4 * ER_LANES);
        }
        ER_UNROLL
        for (int i = 0; i < pixels; i++) {
            er_inputs x = er_load_inputs(at[i] + offset);
            ER_UNROLL
            for (int v = 0; v < blocks * ER_VECTORS; v++)
                sums[i * blocks * ER_VECTORS + v] = er_dot(sums[i * blocks * ER_VECTORS + v], x, ws[v]);
        }
    }
    finish(p, sums, pixels, blocks, block, y + (int64_t)pixel * p->channels);
}

void er_simd_conv_s8_run(const er_simd_conv_s8 *given, const int8_t *x, int8_t *y, int8_t *padded)
{
    /* A copy, which what is written cannot change. */
    er_simd_conv_s8 settings = *given;
    const er_simd_conv_s8 *p = &settings;
    er_simd_pad(&p->image, x, padded, p->input_zero, ER_FLIP);
    tiles(p, padded, y);
}
