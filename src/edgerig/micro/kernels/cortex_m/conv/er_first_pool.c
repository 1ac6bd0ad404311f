#include "er_first_pool.h"

#include <stddef.h>

/* Bytes 0 and 2 of four neighbours as int16, or 1 and 3. */
static uint32_t even(const int8_t *from)
{
    uint32_t word, out;
    __builtin_memcpy(&word, from, 4);
    __asm__("sxtb16 %0, %1" : "=r"(out) : "r"(word));
    return out;
}

static uint32_t odd(const int8_t *from)
{
    uint32_t word, out;
    __builtin_memcpy(&word, from, 4);
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(out) : "r"(word));
    return out;
}

static uint32_t low_halves(uint32_t first, uint32_t second)
{
    return (first & 0xffffu) | second << 16;
}

static uint32_t high_halves(uint32_t first, uint32_t second)
{
    return first >> 16 | (second & 0xffff0000u);
}

/* The windows of one pooled row: 4 rows of the image, 4 columns for each window. */
static uint32_t *copy_windows(const int8_t *in, int32_t stride, int32_t count, uint32_t *to)
{
    for (; count > 0; count--, in += 2) {
        uint32_t e0 = even(in), o0 = odd(in);
        uint32_t e1 = even(in + stride), o1 = odd(in + stride);
        const uint32_t e2 = even(in + 2 * stride), o2 = odd(in + 2 * stride);
        const uint32_t e3 = even(in + 3 * stride), o3 = odd(in + 3 * stride);
        to[0] = e0, to[1] = e1, to[2] = e2, to[3] = low_halves(o0, o1), to[4] = o2;
        to[5] = o0, to[6] = o1, to[7] = o2, to[8] = high_halves(e0, e1), to[9] = e2 >> 16;
        to[10] = e1, to[11] = e2, to[12] = e3, to[13] = low_halves(o1, o2), to[14] = o3;
        to[15] = o1, to[16] = o2, to[17] = o3, to[18] = high_halves(e1, e2), to[19] = e3 >> 16;
        to += 20;
    }
    return to;
}

static void copy_padded(const er_first_pool_shape *s, const int8_t *in, int32_t y, int8_t *edge)
{
    const int32_t width = 2 * s->out_width + 2;
    for (int32_t row = y - s->top; row < y - s->top + 4; row++)
        for (int32_t x = -s->left; x < width - s->left; x++)
            *edge++ = row >= 0 && row < s->height && x >= 0 && x < s->width ? in[row * s->width + x] : (int8_t)s->zero;
}

void er_first_pool(const er_first_pool_shape *shape, er_first_pool_row *row, const int32_t *numbers, const int8_t *in,
                   int8_t *out, uint32_t *windows, int8_t *edge)
{
    for (int32_t y = 0; y < shape->out_height; y++, out += shape->out_width * shape->out_channels) {
        const int8_t *from = in + 2 * y * shape->width;
        int32_t stride = shape->width;
        if (edge) {
            copy_padded(shape, in, 2 * y, edge);
            from = edge;
            stride = 2 * shape->out_width + 2;
        }
        row(numbers, windows, copy_windows(from, stride, shape->out_width, windows), out);
    }
}
