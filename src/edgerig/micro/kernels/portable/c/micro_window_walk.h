/* Both kinds of weights: adds up what one output sees, scales and writes it. */
#ifndef MICRO_WINDOW_WALK_H
#define MICRO_WINDOW_WALK_H

#include "micro_window_s8.h"

/* Adds up `count` products of inputs, less their zero point, and weights from number `first` on. */
typedef int32_t micro_add_up(const micro_window_s8 *p, const int8_t *x, int32_t first, int32_t count);

static inline int32_t micro_window_sum(const micro_window_s8 *p, const int8_t *x, int32_t row, int32_t column,
                                       int32_t c, micro_add_up *add_up)
{
    int32_t sum = 0, count = p->multiplier ? 1 : p->depth;
    for (int32_t i = 0; i < p->kernel_height; i++) {
        int32_t y = row + i * p->dilation_y;
        if (y < 0 || y >= p->height)
            continue;
        if (!p->multiplier && p->dilation_x == 1) {
            /* A row of the window lies in one piece, in the image as in the weights. */
            int32_t first = column < 0 ? -column : 0;
            int32_t end = p->width - column < p->kernel_width ? p->width - column : p->kernel_width;
            if (first < end)
                sum += add_up(p, x + (y * p->width + column + first) * p->depth,
                              c * p->channel + (i * p->kernel_width + first) * p->tap, (end - first) * p->depth);
            continue;
        }
        for (int32_t j = 0; j < p->kernel_width; j++) {
            int32_t at = column + j * p->dilation_x;
            if (at < 0 || at >= p->width)
                continue;
            const int8_t *from = x + (y * p->width + at) * p->depth + (p->multiplier ? c / p->multiplier : 0);
            sum += add_up(p, from, c * p->channel + (i * p->kernel_width + j) * p->tap, count);
        }
    }
    return sum;
}

static inline void micro_window_walk(const micro_window_s8 *p, const int8_t *x, int8_t *y, micro_add_up *add_up)
{
    for (int32_t row = 0; row < p->out_height; row++)
        for (int32_t column = 0; column < p->out_width; column++)
            for (int32_t c = 0; c < p->channels; c++) {
                int32_t top = row * p->stride_y - p->top, left = column * p->stride_x - p->left;
                int32_t sum = micro_window_sum(p, x, top, left, c, add_up) + p->scales[c].bias;
                int32_t scaled = p->once ? micro_scale_once(sum, p->scales[c].multiplier, p->scales[c].exponent)
                                         : micro_scale_twice(sum, p->scales[c].multiplier, p->scales[c].exponent);
                *y++ = (int8_t)micro_clamp(scaled + p->output_zero, p->low, p->high);
            }
}

#endif
