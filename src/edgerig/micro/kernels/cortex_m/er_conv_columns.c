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

/* The rows of taps of one output row, with their padding. */
static void copy_band(const er_conv_columns_shape *s, const int8_t *in, int32_t y, int8_t *band)
{
    const size_t left = (size_t)(s->left * s->channels), middle = (size_t)(s->width * s->channels);
    for (int32_t row = 0; row < s->kernel_height; row++, y += s->dilation_y, band += s->pitch) {
        if (y < 0 || y >= s->height) {
            __builtin_memset(band, s->zero, (size_t)s->pitch);
            continue;
        }
        __builtin_memset(band, s->zero, left);
        __builtin_memcpy(band + left, in + y * s->width * s->channels, middle);
        __builtin_memset(band + left + middle, s->zero, (size_t)(s->right * s->channels));
    }
}

typedef struct place {
    int32_t x, y;
    const int8_t *row;
} place;

static void go_to_row(const er_conv_columns_shape *s, const int8_t *in, int8_t *band, place *at)
{
    const int32_t y = at->y * s->stride_y - s->top;
    if (band)
        copy_band(s, in, y, band);
    at->row = band ? band : in + y * s->pitch;
}

void er_conv_columns(const er_conv_columns_shape *shape, er_conv_window *window, er_pointwise_run *run,
                     const er_pointwise *first, const er_pointwise *second, const int8_t *in, int8_t *out,
                     uint32_t *columns, int8_t *band)
{
    const er_conv_columns_shape *const s = shape;
    const int32_t step = s->stride_x * s->channels;
    /* The last three pixels may overlap those before; fewer than three are computed three times. */
    const int32_t tile = s->pixels < 3 ? 1 : 3;
    const int32_t words = (int32_t)first->tile / 4;
    place at = {0, 0, 0};
    go_to_row(s, in, band, &at);
    for (int32_t pixel = 0, tiles; pixel < s->pixels; pixel += tiles * tile) {
        tiles = (s->pixels - pixel) / tile;
        if (tiles > s->tiles)
            tiles = s->tiles;
        if (tiles == 0) {
            tiles = 1;
            pixel = s->pixels - tile;
            at.y = pixel / s->out_width;
            at.x = pixel % s->out_width;
            go_to_row(s, in, band, &at);
        }
        for (int32_t i = 0; i < 3 * tiles; i++) {
            if (at.x == s->out_width) {
                at.x = 0;
                at.y++;
                go_to_row(s, in, band, &at);
            }
            window(s, at.row + at.x * step, columns + i / 3 * words + i % 3);
            if (tile == 3 || i == 2)
                at.x++;
        }
        run(first, columns, out + pixel * s->pixel_stride, (uint32_t)tiles);
        if (second)
            run(second, columns, out + pixel * s->pixel_stride + s->second, (uint32_t)tiles);
    }
}
