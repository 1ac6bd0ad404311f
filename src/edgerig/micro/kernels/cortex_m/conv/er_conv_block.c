#include "er_conv_block.h"

#include <stddef.h>

/* Four image columns from y, x on. edge: a pixel of padding. */
static void fill(const er_conv_block_shape *s, const int8_t *in, int32_t y, int32_t x, uint32_t rows, uint32_t *columns,
                 const int8_t *edge)
{
    const int32_t channels = s->channels, pitch = s->width * channels;
    const int32_t inside = x >= 0 && x + 4 <= s->width;
    const int8_t *at = in + y * pitch + x * channels;
    for (; rows != 0; rows--, y++, at += pitch, columns += 2 * channels) {
        const int8_t *from[4] = { at, at + channels, at + 2 * channels, at + 3 * channels };
        const int32_t row = y >= 0 && y < s->height;
        if (!(inside && row)) {
            for (int32_t column = 0; column < 4; column++)
                if (!row || x + column < 0 || x + column >= s->width)
                    from[column] = edge;
        }
        er_block_fill(from, columns, (uint32_t)channels / 4);
    }
}

/* Tiles at the end overlap those before them. */
static int32_t last(int32_t at, int32_t size, int32_t step)
{
    return at + step > size ? size - step : at;
}

void er_conv_block(const er_conv_block_shape *shape, er_block_run *run, const er_block *job, const int8_t *in,
                   int8_t *out, uint32_t *columns, int8_t *edge)
{
    const er_conv_block_shape *const s = shape;
    const int32_t rows = (int32_t)job->rows / s->pooled, width = s->pooled == 2 ? 1 : 2;
    if (edge)
        __builtin_memset(edge, s->zero, (size_t)s->channels);
    for (int32_t band = 0; band < s->out_height; band += rows) {
        const int32_t y = last(band, s->out_height, rows);
        for (int32_t tile = 0; tile < s->out_width; tile += width) {
            const int32_t x = last(tile, s->out_width, width);
            fill(s, in, y * s->pooled - s->top, x * s->pooled - s->left, job->rows + 2, columns, edge);
            run(job, columns, out + (y * s->out_width + x) * s->out_channels);
        }
    }
}
