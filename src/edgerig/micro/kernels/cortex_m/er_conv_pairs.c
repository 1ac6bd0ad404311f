#include "er_conv_pairs.h"

#include <stddef.h>

/* What is left of each run when its words are taken goes behind them, two bytes a word, over all runs. */
typedef struct remains {
    uint32_t *to;
    uint32_t low;
    int32_t half;
} remains;

static uint32_t even_bytes(uint32_t word)
{
    uint32_t out;
    __asm__("sxtb16 %0, %1" : "=r"(out) : "r"(word));
    return out;
}

static uint32_t odd_bytes(uint32_t word)
{
    uint32_t out;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(out) : "r"(word));
    return out;
}

static uint32_t *widen_unaligned(const int8_t *from, int32_t run, uint32_t *to, remains *left)
{
    for (; run >= 4; run -= 4, from += 4, to += 6) {
        uint32_t word;
        __builtin_memcpy(&word, from, 4);
        to[0] = even_bytes(word);
        to[3] = odd_bytes(word);
    }
    for (; run > 0; run--) {
        const uint32_t byte = (uint32_t)*from++ & 0xffff;
        if (left->half) {
            *left->to = left->low | byte << 16;
            left->to += 3;
        }
        left->low = byte;
        left->half = !left->half;
    }
    return to;
}

/* The run of taps from row y, column x on; in edge if part of it lies outside the image. */
static const int8_t *run_at(const er_conv_pairs_shape *s, const int8_t *in, int32_t y, int32_t x, int8_t *edge)
{
    const int32_t taps = s->dilation_x == 1 ? s->kernel_width : 1;
    if (y < 0 || y >= s->height) {
        __builtin_memset(edge, s->zero, (size_t)s->run);
        return edge;
    }
    const int8_t *from = in + (y * s->width + x) * s->channels;
    if (x >= 0 && x + taps <= s->width)
        return from;
    __builtin_memset(edge, s->zero, (size_t)s->run);
    const int32_t before = x < 0 ? -x : 0;
    const int32_t end = x + taps > s->width ? s->width - x : taps;
    if (end > before)
        __builtin_memcpy(edge + before * s->channels, from + before * s->channels, (size_t)((end - before) * s->channels));
    return edge;
}

static void window(const er_conv_pairs_shape *s, const int8_t *in, int32_t pixel, uint32_t *to, int8_t *edge)
{
    const int32_t y = pixel / s->out_width * s->stride_y - s->top;
    const int32_t x = pixel % s->out_width * s->stride_x - s->left;
    const int32_t runs = s->dilation_x == 1 ? 1 : s->kernel_width;
    remains left = {to + s->kernel_height * runs * (s->run / 4) * 6, 0, 0};
    for (int32_t ky = 0; ky < s->kernel_height; ky++) {
        for (int32_t kx = 0; kx < runs; kx++) {
            const int8_t *from = run_at(s, in, y + ky * s->dilation_y, x + kx * s->dilation_x, edge);
            if (s->channels % 4 == 0)
                to = er_pairs_widen(from, to, (uint32_t)s->run / 4);
            else
                to = widen_unaligned(from, s->run, to, &left);
        }
    }
    if (left.half)
        *left.to = left.low;
}

void er_conv_pairs(const er_conv_pairs_shape *shape, const er_pairs *pairs, const er_pairs *odd, const int8_t *in,
                   int8_t *out, uint32_t *columns, int8_t *edge)
{
    /* The last three pixels may overlap those before; fewer than three are computed three times. */
    const int32_t step = shape->pixels < 3 ? 1 : 3;
    for (int32_t pixel = 0; pixel < shape->pixels; pixel += step) {
        if (pixel + step > shape->pixels)
            pixel = shape->pixels - step;
        for (int32_t i = 0; i < 3; i++)
            window(shape, in, step == 1 ? pixel : pixel + i, columns + i, edge);
        int8_t *to = out + pixel * shape->out_channels;
        if (pairs->pairs)
            er_pairs_3(pairs, columns, to);
        if (odd)
            er_pairs_3(odd, columns, to + (2 * (int32_t)pairs->pairs - 1) * pairs->channel_stride);
    }
}
