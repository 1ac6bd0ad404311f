#include "er_winograd.h"

#include <stddef.h>

void er_winograd_conv(const er_winograd_shape *shape, const er_winograd *job, const int8_t *in, int8_t *out,
                      uint32_t *lines, uint32_t *tiles)
{
    const er_winograd_shape *const s = shape;
    for (int32_t y = 0; y < s->out_height; y += 2, out += 2 * job->row_stride) {
        const int32_t first = y - s->top;
        const int8_t *rows[3];
        /* A row of padding lies where tiles will be. */
        if (first < 0 || first + 3 >= s->height)
            __builtin_memset(tiles, s->zero, (size_t)s->row_bytes);
        rows[0] = first < 0 ? (const int8_t *)tiles : in + first * s->row_bytes;
        rows[1] = in + (first + 1) * s->row_bytes;
        rows[2] = first + 3 >= s->height ? (const int8_t *)tiles : in + (first + 3) * s->row_bytes;
        s->rows(rows, lines, &s->border);
        for (int32_t x = 0; x < s->out_width; x += 4) {
            s->columns(lines + 4 * x, tiles);
            s->products(job, tiles, out + x * s->out_channels);
        }
    }
}
