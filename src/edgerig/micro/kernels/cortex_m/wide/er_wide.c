#include "er_wide.h"

#include <string.h>

#include "er_scaled.h"

enum { SHORT = 2, PACKED_SHIFT = 4 };

int32_t er_wide_short(const er_wide *layer, int32_t channel, int64_t sum)
{
    const int32_t shift = layer->shifts[channel];
    return (int32_t)((sum * layer->multipliers[channel] + ((int64_t)1 << (shift - 1))) >> shift);
}

/* The product may have more than 64 bits: its upper part, and what the lower carries over. */
int32_t er_wide_long(const er_wide *layer, int32_t channel, int64_t sum)
{
    const int32_t shift = layer->shifts[channel];
    const int64_t multiplier = layer->multipliers[channel], half = (int64_t)1 << (shift - 1);
    return (int32_t)(((sum >> 16) * multiplier + (((sum & 0xffff) * multiplier + half) >> 16)) >> (shift - 16));
}

int32_t er_wide_twice(const er_wide *layer, int32_t channel, int64_t sum)
{
    return er_scaled_twice((int32_t)sum, layer->multipliers[channel], 31 - layer->shifts[channel]);
}

int32_t er_wide_once(const er_wide *layer, int32_t channel, int64_t sum)
{
    return er_scaled_once((int32_t)sum, layer->multipliers[channel], 31 - layer->shifts[channel]);
}

static void copy(const er_wide *l, int16_t *to, const int8_t *in, int32_t first, int32_t count)
{
    if (l->input_bytes == SHORT) {
        memcpy(to, in + SHORT * first, (size_t)count * SHORT);
        return;
    }
    for (in += first; count > 0; count--)
        *to++ = *in++;
}

static void fill(const er_wide *l, int16_t *to, int32_t count)
{
    while (count-- > 0)
        *to++ = (int16_t)l->zero_in;
}

/* What the output pixel sees whose window begins at (row, column). */
static void gather(const er_wide *l, const int8_t *in, int32_t row, int32_t column, int16_t *to)
{
    const int32_t depth = l->depth, wide = l->kernel_width * depth;
    const int32_t last = column + (l->kernel_width - 1) * l->dilation_x;
    for (int32_t i = 0; i < l->kernel_height; i++, row += l->dilation_y, to += wide) {
        const int32_t line = row * l->width;
        if (row < 0 || row >= l->height) {
            fill(l, to, wide);
        } else if (l->dilation_x == 1 && column >= 0 && last < l->width) {
            copy(l, to, in, (line + column) * depth, wide);
        } else {
            for (int32_t j = 0, at = column; j < l->kernel_width; j++, at += l->dilation_x) {
                if (at < 0 || at >= l->width)
                    fill(l, to + j * depth, depth);
                else
                    copy(l, to + j * depth, in, (line + at) * depth, depth);
            }
        }
    }
}

static int32_t narrow(const er_wide *l, int32_t channel, int32_t sum)
{
    const er_wide_channel *const s = &l->narrow[channel];
    int32_t high;
    if (!l->doubled)
        return ((int32_t)(((int64_t)(sum + s->bias) * s->multiplier) >> 32) + s->addend) >> s->shift;
    high = (int32_t)(((int64_t)(2 * sum + s->bias) * s->multiplier + INT64_C(0x80000000)) >> 32);
    return (high + s->addend + ((high & s->mask) >> 31)) >> s->shift;
}

int32_t er_wide_output(const er_wide *l, int32_t channel, int64_t sum)
{
    const int32_t value =
        (l->narrow ? narrow(l, channel, (int32_t)sum) : l->scale(l, channel, sum + l->bias[channel])) + l->zero_out;
    return value < l->low ? l->low : value > l->high ? l->high : value;
}

static inline void keep(const er_wide *l, void *out, int32_t pixel, int32_t channel, int64_t sum)
{
    const int32_t value = er_wide_output(l, channel, sum), at = pixel * l->channels + channel;
    if (l->output_bytes == SHORT)
        ((int16_t *)out)[at] = (int16_t)value;
    else
        ((int8_t *)out)[at] = (int8_t)value;
}

/* One pixel or two, whose inputs are there as int16. */
static void outputs(const er_wide *l, const int16_t *x0, const int16_t *x1, int32_t pixel, int32_t count, void *out)
{
    const int8_t *weights = l->weights;
    for (int32_t c = 0; c < l->channels; c += 2) {
        int64_t sums[4] = { 0, 0, 0, 0 };
        for (int32_t done = 0, now; done < l->steps; done += now, weights += 8 * now) {
            int32_t part[4];
            now = l->steps - done < l->chunk ? l->steps - done : l->chunk;
            if (l->packed) {
                er_wide_packed(weights, x0 + 8 * done, now, part);
                if (count == 2)
                    er_wide_packed(weights, x1 + 8 * done, now, part + 2);
            } else if (count == 2) {
                er_wide_sums_two(weights, x0 + 4 * done, x1 + 4 * done, now, part);
            } else {
                er_wide_sums(weights, x0 + 4 * done, now, part);
            }
            for (int32_t i = 0; i < 2 * count; i++)
                sums[i] += l->packed ? part[i] >> PACKED_SHIFT : part[i];
        }
        for (int32_t i = 0; i < count; i++) {
            keep(l, out, pixel + i, c, sums[2 * i]);
            if (c + 1 < l->channels)
                keep(l, out, pixel + i, c + 1, sums[2 * i + 1]);
        }
    }
}

void er_wide_layer(const er_wide *l, const void *in, void *out, int16_t *columns)
{
    const int16_t *const plain = in;
    int32_t row = -l->top, column = -l->left, across = 0, count;
    if (l->column)
        memset(columns, 0, (size_t)(2 * l->column) * sizeof *columns);
    for (int32_t pixel = 0; pixel < l->pixels; pixel += count) {
        const int16_t *x0 = plain + pixel * l->depth, *x1 = x0 + l->depth;
        count = l->pixels - pixel < 2 ? 1 : 2;
        if (l->column) {
            x0 = columns;
            x1 = columns + l->column;
            for (int32_t i = 0; i < count; i++) {
                gather(l, in, row, column, columns + i * l->column);
                column += l->stride_x;
                if (++across == l->out_width) {
                    across = 0;
                    column = -l->left;
                    row += l->stride_y;
                }
            }
        }
        outputs(l, x0, x1, pixel, count, out);
    }
}
