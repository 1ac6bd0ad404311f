#include "micro_conv_s8.h"

#include <string.h>

#include "micro_dot.h"

/* What the output pixel at (row, column) before pooling sees, as int16; borders have the input's zero point. */
static void gather(const micro_conv_s8 *p, const int8_t *x, int32_t row, int32_t column, int16_t *to)
{
    int32_t wide = p->kernel_width * p->depth;
    for (int32_t i = 0; i < p->kernel_height; i++) {
        int32_t iy = row * p->stride_y - p->top + i * p->dilation_y;
        int32_t ix = column * p->stride_x - p->left;
        int32_t last = ix + (p->kernel_width - 1) * p->dilation_x;
        if (iy < 0 || iy >= p->height) {
            for (int32_t k = 0; k < wide; k++)
                to[k] = (int16_t)p->input_zero;
        } else if (p->dilation_x == 1 && ix >= 0 && last < p->width) {
            const int8_t *from = x + (iy * p->width + ix) * p->depth;
            for (int32_t k = 0; k < wide; k++)
                to[k] = from[k];
        } else {
            for (int32_t j = 0; j < p->kernel_width; j++, ix += p->dilation_x) {
                int16_t *part = to + j * p->depth;
                if (ix < 0 || ix >= p->width) {
                    for (int32_t k = 0; k < p->depth; k++)
                        part[k] = (int16_t)p->input_zero;
                } else {
                    const int8_t *from = x + (iy * p->width + ix) * p->depth;
                    for (int32_t k = 0; k < p->depth; k++)
                        part[k] = from[k];
                }
            }
        }
        to += wide;
    }
}

static void clear_tails(const micro_conv_s8 *p, int16_t *columns)
{
    int32_t used = p->kernel_height * p->kernel_width * p->depth;
    for (int32_t i = 0; i < 4; i++)
        memset(columns + i * p->length + used, 0, (size_t)(p->length - used) * sizeof(int16_t));
}

static int8_t finish(const micro_conv_s8 *p, const micro_channel *scale, int32_t sum)
{
    int32_t value = p->once ? micro_scale_once(sum, scale->multiplier, scale->exponent)
                            : micro_scale_twice(sum, scale->multiplier, scale->exponent);
    return (int8_t)micro_clamp(value + p->output_zero, p->low, p->high);
}

void micro_conv_s8_run(const micro_conv_s8 *p, const int8_t *x, int8_t *y, int16_t *columns)
{
    clear_tails(p, columns);
    for (int32_t pixel = 0; pixel < p->pixels; pixel += 4) {
        int32_t count = p->pixels - pixel < 4 ? p->pixels - pixel : 4;
        for (int32_t i = 0; i < count; i++)
            gather(p, x, (pixel + i) / p->out_width, (pixel + i) % p->out_width, columns + i * p->length);
        for (int32_t c = 0; c < p->channels; c++) {
            const int8_t *row = p->weights + c * p->length;
            const micro_channel *scale = p->scales + c;
            int32_t sums[4];
            if (count == 4) {
                micro_dot_4_columns(row, columns, p->length, sums);
            } else {
                for (int32_t i = 0; i < count; i++)
                    sums[i] = micro_dot(row, columns + i * p->length, p->length);
            }
            for (int32_t i = 0; i < count; i++)
                y[i * p->channels + c] = finish(p, scale, sums[i] + scale->bias);
        }
        y += count * p->channels;
    }
}

/* The greatest sum of each channel over the pixels of one pooling window. */
static void greatest(const micro_conv_s8 *p, const int16_t *columns, int32_t count, int32_t *best)
{
    for (int32_t c = 0; c < p->channels; c++) {
        const int8_t *row = p->weights + c * p->length;
        int32_t sums[4];
        if (count == 4) {
            micro_dot_4_columns(row, columns, p->length, sums);
        } else {
            for (int32_t i = 0; i < count; i++)
                sums[i] = micro_dot(row, columns + i * p->length, p->length);
        }
        for (int32_t i = 0; i < count; i++)
            best[c] = sums[i] > best[c] ? sums[i] : best[c];
    }
}

void micro_conv_pool_s8_run(const micro_conv_s8 *p, const int8_t *x, int8_t *y, int16_t *columns, int32_t *best)
{
    clear_tails(p, columns);
    for (int32_t pixel = 0; pixel < p->pixels; pixel++, y += p->channels) {
        int32_t top = pixel / p->out_width * p->pool_stride_y, left = pixel % p->out_width * p->pool_stride_x;
        int32_t count = 0;
        for (int32_t c = 0; c < p->channels; c++)
            best[c] = INT32_MIN;
        for (int32_t i = 0; i < p->pool_height * p->pool_width; i++) {
            gather(p, x, top + i / p->pool_width, left + i % p->pool_width, columns + count * p->length);
            if (++count == 4) {
                greatest(p, columns, count, best);
                count = 0;
            }
        }
        greatest(p, columns, count, best);
        /* Scaling keeps the order, so that the greatest sum gives the greatest output. */
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = finish(p, p->scales + c, best[c] + p->scales[c].bias);
    }
}
