#include "micro_window_s16.h"

/* Products of 16 and 8 bits of which a sum stays within 32. */
#define CHUNK 256

static int64_t dot(const int16_t *x, const int8_t *w, int32_t count)
{
    int64_t sum = 0;
    while (count > 0) {
        int32_t part = 0, now = count < CHUNK ? count : CHUNK;
        for (int32_t k = 0; k < now; k++)
            part += x[k] * w[k];
        sum += part;
        x += now;
        w += now;
        count -= now;
    }
    return sum;
}

static int64_t sum_of(const micro_window_s16 *p, const int16_t *x, int32_t row, int32_t column, int32_t c)
{
    int64_t sum = p->bias[c];
    for (int32_t i = 0; i < p->kernel_height; i++) {
        int32_t y = row + i * p->dilation_y;
        if (y < 0 || y >= p->height)
            continue;
        if (!p->multiplier && p->dilation_x == 1) {
            /* A row of the window lies in one piece, in the image as in the weights. */
            int32_t first = column < 0 ? -column : 0;
            int32_t end = p->width - column < p->kernel_width ? p->width - column : p->kernel_width;
            if (first < end)
                sum +=
                    dot(x + (y * p->width + column + first) * p->depth,
                        p->weights + c * p->channel + (i * p->kernel_width + first) * p->tap, (end - first) * p->depth);
            continue;
        }
        for (int32_t j = 0; j < p->kernel_width; j++) {
            int32_t at = column + j * p->dilation_x;
            if (at < 0 || at >= p->width)
                continue;
            const int16_t *from = x + (y * p->width + at) * p->depth + (p->multiplier ? c / p->multiplier : 0);
            const int8_t *w = p->weights + c * p->channel + (i * p->kernel_width + j) * p->tap;
            sum += p->multiplier ? from[0] * w[0] : dot(from, w, p->depth);
        }
    }
    return sum;
}

static int32_t scaled(const micro_window_s16 *p, int64_t sum, micro_shift_s16 scale)
{
    return p->once ? micro_scale_wide(sum, scale) : micro_scale_twice((int32_t)sum, scale.multiplier, 31 - scale.shift);
}

void micro_window_s16_run(const micro_window_s16 *p, const int16_t *x, int16_t *y)
{
    for (int32_t row = 0; row < p->out_height; row++)
        for (int32_t column = 0; column < p->out_width; column++)
            for (int32_t c = 0; c < p->channels; c++) {
                int32_t top = row * p->stride_y - p->top, left = column * p->stride_x - p->left;
                *y++ = (int16_t)micro_clamp(scaled(p, sum_of(p, x, top, left, c), p->scales[c]), p->low, p->high);
            }
}
