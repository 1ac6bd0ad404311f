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

#ifdef __riscv

/* Every step-th byte. */
static inline void collect(int8_t *to, const int8_t *from, int32_t step, int32_t count)
{
    for (; count >= 4; count -= 4, to += 4) {
        const int8_t *const second = from + step, *const third = second + step, *const fourth = third + step;
        const int8_t a = *from, b = *second, c = *third, d = *fourth;
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
        from = fourth + step;
    }
    for (; count > 0; count--, from += step)
        *to++ = *from;
}

static inline void copy_rows(const er_sc_depthwise *p, const int8_t *x, int32_t first, int32_t count, int8_t *to)
{
    const int32_t before = smaller(p->left, p->plane_width), inside = smaller(p->width, p->plane_width - before);
    const int32_t after = p->plane_width - before - inside;

    x += first * p->width * p->depth;
    for (int32_t row = first; row < first + count; row++, x += p->width * p->depth, to += p->plane_width) {
        if (row < 0 || row >= p->height) {
            fill(to, p->input_zero, p->plane_width);
            continue;
        }
        fill(to, p->input_zero, before);
        collect(to + before, x, p->depth, inside);
        fill(to + before + inside, p->input_zero, after);
    }
}

#else

/* The rows of one channel from `first` on, with the input's zero point around them. */
static inline void copy_rows(const er_sc_depthwise *p, const int8_t *x, int32_t first, int32_t count, int8_t *to)
{
    const int32_t before = smaller(p->left, p->plane_width), inside = smaller(p->width, p->plane_width - before);
    const er_sc_copied copied = {
        before, inside, p->plane_width - before - inside, p->depth, p->width * p->depth, p->input_zero,
    };
    int32_t above = first < 0 ? smaller(-first, count) : 0;
    int32_t within = smaller(first + count, p->height) - (first + above);

    fill(to, p->input_zero, above * p->plane_width);
    to += above * p->plane_width;
    if (within > 0)
        er_sc_copy(&copied, x + (first + above) * copied.line, to, within);
    else
        within = 0;
    fill(to + within * p->plane_width, p->input_zero, (count - above - within) * p->plane_width);
}

#endif

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

/* Sums of rows of outputs, in assembly, which makes one at a time on RISC-V. */
static inline void sum_rows(const er_sc_depthwise *p, const int8_t *x, const int8_t *w, int32_t *sums, int32_t rows)
{
#ifdef __riscv
    for (; rows > 0; rows--, x += p->row.down, sums += p->out_width)
        p->sum(&p->row, x, w, sums, 1);
#else
    p->sum(&p->row, x, w, sums, rows);
#endif
}

/* flip: 0x80 where rows are copied as numbers from 0 to 255, else 0. */
ALWAYS void walk(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums, int32_t flip,
                 er_sc_scale *scale)
{
    const int32_t size = p->kernel_height * p->kernel_width, channels = p->depth * p->multiplier;
    const int32_t line = p->out_width * channels, group = p->group, down = group * p->row.down;

    for (int32_t first = p->first; first >= 0 && first < p->out_height; first += p->step) {
        const int32_t rows = smaller(p->rows, p->out_height - first);
        const int32_t seen = (rows - 1) * p->stride_y + (p->kernel_height - 1) * p->dilation_y + 1;
        const int8_t *w = p->weights, *source = x;
        for (int32_t c = 0, left = 0; c < channels; c++, left--, w += size) {
            if (left == 0) {
                copy_rows(p, source++, first * p->stride_y - p->top, seen, plane);
                left = p->multiplier;
            }
            const int8_t *from = plane;
            int8_t *to = y + first * line + c;
            for (int32_t waiting = rows; waiting > 0; waiting -= group, from += down, to += group * line) {
                const int32_t count = smaller(group, waiting);
                if (p->sum)
                    sum_rows(p, from, w, sums, count);
                else
                    any_stride(p, from, w, sums, count, flip);
                scale(p->scales + c, &p->range, sums, count * p->out_width, to, channels);
            }
        }
    }
}

#endif
