/* The walk of a depthwise convolution over bands of rows and their channels, for the file of each way to scale. */
#ifndef ER_SC_DEPTHWISE_WALK_H
#define ER_SC_DEPTHWISE_WALK_H

#include "er_sc_depthwise.h"

#define ALWAYS static inline __attribute__((always_inline))

static inline int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline void fill(int8_t *to, int32_t value, int32_t count)
{
    while (count-- > 0)
        *to++ = (int8_t)value;
}

/* Copies the rows of one channel from `first` on, with the input's zero point around them. */
typedef void copying(const er_sc_depthwise *p, const int8_t *x, int32_t first, int32_t count, int8_t *to);

/* Any window at any stride. */
ALWAYS void any_stride(const er_sc_depthwise *p, const int8_t *x, const int8_t *w, int32_t *sums, int32_t rows,
                       int32_t flip)
{
    for (; rows > 0; rows--, x += p->row.down) {
        for (int32_t column = 0; column < p->out_width; column++) {
            const int8_t *from = x + column * p->stride_x, *weight = w;
            int32_t sum = 0;
            for (int32_t i = 0; i < p->kernel_height; i++, from += p->row.line)
                for (int32_t j = 0; j < p->kernel_width; j++)
                    sum += (flip ? (uint8_t)from[j * p->dilation_x] : from[j * p->dilation_x]) * *weight++;
            *sums++ = sum;
        }
    }
}

/* flip: 0x80 where rows are copied as numbers from 0 to 255, else 0. */
ALWAYS void walk(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums, int32_t flip,
                 copying *copy, er_sc_scale *scale)
{
    const int32_t size = p->kernel_height * p->kernel_width, channels = p->depth * p->multiplier;
    const int32_t line = p->out_width * channels;

    for (int32_t first = 0; first < p->out_height; first += p->rows, y += p->rows * line) {
        const int32_t rows = smaller(p->rows, p->out_height - first);
        const int32_t seen = (rows - 1) * p->stride_y + (p->kernel_height - 1) * p->dilation_y + 1;
        const int8_t *w = p->weights, *source = x;
        for (int32_t c = 0, left = 0; c < channels; c++, left--, w += size) {
            if (left == 0) {
                copy(p, source++, first * p->stride_y - p->top, seen, plane);
                left = p->multiplier;
            }
            for (int32_t row = 0; row < rows; row += p->group) {
                const int32_t count = smaller(p->group, rows - row);
                const int8_t *const from = plane + row * p->row.down;
                if (p->sum)
                    p->sum(&p->row, from, w, sums, count);
                else
                    any_stride(p, from, w, sums, count, flip);
                scale(p->scales + c, &p->range, sums, count * p->out_width, y + row * line + c, channels);
            }
        }
    }
}

#endif
