#include "er_conv_columns.h"

#include <stddef.h>

void er_conv_window_any(const er_conv_columns_shape *shape, const int8_t *from, uint32_t *to)
{
    /* What is left of each run when its words are taken goes behind them, two bytes a word, over all runs. */
    uint32_t *rest = to + shape->kernel_height * shape->runs * (shape->run / 4) * 6;
    int8_t low = 0;
    int32_t half = 0;
    for (int32_t ky = 0; ky < shape->kernel_height; ky++, from += shape->row_step) {
        const int8_t *at = from;
        for (int32_t kx = 0; kx < shape->runs; kx++, at += shape->dilation_x * shape->channels) {
            if (shape->channels % 4 == 0) {
                to = er_pairs_widen(at, to, (uint32_t)shape->run / 4);
                continue;
            }
            int32_t i = 0;
            for (; i + 4 <= shape->run; i += 4, to += 6)
                er_widen(at + i, to);
            for (; i < shape->run; i++) {
                if (half) {
                    *rest = er_two(low, at[i]);
                    rest += 3;
                }
                low = at[i];
                half = !half;
            }
        }
    }
    if (half)
        *rest = er_two(low, 0);
}

/* So many rows from y on, with their padding. */
static __attribute__((noinline)) void copy_band(const er_conv_columns_shape *s, const int8_t *in, int32_t y,
                                                int32_t rows, int32_t step, int8_t *band)
{
    const int32_t left = s->left * s->channels, middle = s->width * s->channels, right = s->right * s->channels;
    for (; rows != 0; rows--, y += step, band += s->pitch) {
        int8_t *const from = band + s->begin;
        if (y < 0 || y >= s->height) {
            __builtin_memset(band, s->zero, (size_t)s->pitch);
            continue;
        }
        __builtin_memset(from, s->zero, (size_t)left);
        er_pairs_copy(from + left, in + y * middle, (uint32_t)middle);
        __builtin_memset(from + left + middle, s->zero, (size_t)right);
    }
}

/* Where the windows of an output row begin. */
static __attribute__((noinline)) const int8_t *row_at(const er_conv_columns_shape *s, const int8_t *in, int32_t y,
                                                      int8_t *band)
{
    const int32_t first = y * s->stride_y - s->top;
    if (!band)
        return in + first * s->pitch;
    copy_band(s, in, first, s->kernel_height, s->dilation_y, band);
    return band + s->begin;
}

void er_conv_columns(const er_conv_columns_shape *shape, er_conv_window *window, er_pointwise_run *run,
                     const er_pointwise *first, const er_pointwise *second, const int8_t *in, int8_t *out,
                     uint32_t *columns, int8_t *band)
{
    const er_conv_columns_shape *const s = shape;
    const int32_t step = s->stride_x * s->channels;
    /* The last three pixels may overlap those before; fewer than three are computed three times. */
    const int32_t tile = s->pixels < 3 ? 1 : 3;
    const uint32_t words = first->tile / 4;
    if (s->padded_rows) {
        copy_band(s, in, -s->top, s->padded_rows, 1, band);
        in = band + s->begin + s->top * s->pitch;
        band = 0;
    }
    int32_t y = 0, x = 0;
    const int8_t *at = row_at(s, in, 0, band);
    for (int32_t pixel = 0, tiles; pixel < s->pixels; pixel += tiles * tile) {
        tiles = (s->pixels - pixel) / tile;
        if (tiles > s->tiles)
            tiles = s->tiles;
        if (tiles == 0) {
            tiles = 1;
            pixel = s->pixels - tile;
            y = pixel / s->out_width;
            x = pixel % s->out_width;
            at = row_at(s, in, y, band) + x * step;
        }
        uint32_t *to = columns;
        for (int32_t left = tiles; left != 0; left--, to += words) {
            if (tile == 3 && x + 3 <= s->out_width) {
                window(s, at, to);
                window(s, at + step, to + 1);
                window(s, at + 2 * step, to + 2);
                x += 3;
                at += 3 * step;
                continue;
            }
#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
            for (int32_t i = 0; i < 3; i++) {
                if (x == s->out_width) {
                    x = 0;
                    at = row_at(s, in, ++y, band);
                }
                window(s, at, to + i);
                if (tile == 3) {
                    x++;
                    at += step;
                }
            }
            if (tile == 1) {
                x++;
                at += step;
            }
        }
        run(first, columns, out + pixel * s->pixel_stride, (uint32_t)tiles);
        if (second)
            run(second, columns, out + pixel * s->pixel_stride + s->second, (uint32_t)tiles);
    }
}
