#include "er_conv_block.h"

/* Four image columns from y, x on. */
static void fill(const er_conv_block_shape *s, const int8_t *in, int32_t y, int32_t x, int32_t rows, uint32_t *columns)
{
    const uint32_t words = (uint32_t)s->channels / 4;
    const uint32_t zero = ((uint32_t)s->zero & 0xffffu) * 0x10001u;
    for (int32_t row = 0; row < rows; row++, y++, columns += 8 * words) {
        for (int32_t column = 0; column < 4; column++) {
            const int32_t at = x + column;
            if (y >= 0 && y < s->height && at >= 0 && at < s->width) {
                er_block_widen(in + (y * s->width + at) * s->channels, columns + column, words);
            } else {
                for (uint32_t i = 0; i < 2 * words; i++)
                    columns[4 * i + (uint32_t)column] = zero;
            }
        }
    }
}

/* Tiles at the end overlap those before them. */
static int32_t last(int32_t at, int32_t size, int32_t step)
{
    return at + step > size ? size - step : at;
}

void er_conv_block(const er_conv_block_shape *shape, const er_block *job, const int8_t *in, int8_t *out,
                   uint32_t *columns)
{
    const int32_t rows = (int32_t)job->rows;
    for (int32_t band = 0; band < shape->out_height; band += rows) {
        const int32_t y = last(band, shape->out_height, rows);
        for (int32_t pair = 0; pair < shape->out_width; pair += 2) {
            const int32_t x = last(pair, shape->out_width, 2);
            fill(shape, in, y - shape->top, x - shape->left, rows + 2, columns);
            er_block_2(job, columns, out + (y * shape->out_width + x) * shape->out_channels);
        }
    }
}

void er_conv_block_pool(const er_conv_block_shape *shape, const er_block *job, const int8_t *in, int8_t *out,
                        uint32_t *columns)
{
    const int32_t rows = (int32_t)job->rows;
    for (int32_t band = 0; band < shape->out_height; band += rows) {
        const int32_t y = last(band, shape->out_height, rows);
        for (int32_t x = 0; x < shape->out_width; x++) {
            fill(shape, in, 2 * y - shape->top, 2 * x - shape->left, 2 * rows + 2, columns);
            er_block_pool(job, columns, out + (y * shape->out_width + x) * shape->out_channels);
        }
    }
}
