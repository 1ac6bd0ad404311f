#include "micro_transpose_conv_s16.h"

static void tap(const micro_transpose_conv_s16 *p, const int16_t *x, const int8_t *w, int64_t *sums)
{
    for (int32_t c = 0; c < p->channels; c++, w += p->depth)
        for (int32_t k = 0; k < p->depth; k++)
            sums[c] += x[k] * w[k];
}

static int32_t scaled(const micro_transpose_conv_s16 *p, int64_t sum, micro_shift_s16 scale)
{
    return p->once ? micro_scale_wide(sum, scale) : micro_scale_twice((int32_t)sum, scale.multiplier, 31 - scale.shift);
}

void micro_transpose_conv_s16_run(const micro_transpose_conv_s16 *p, const int16_t *x, int16_t *y, int64_t *sums)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->channels) {
        int32_t row = pixel / p->out_width + p->top, column = pixel % p->out_width + p->left;
        for (int32_t c = 0; c < p->channels; c++)
            sums[c] = p->bias[c];
        /* The input pixels whose kernel reaches this output: row = iy * stride_y + i. */
        for (int32_t i = row % p->stride_y; i < p->kernel_height && i <= row; i += p->stride_y) {
            int32_t iy = (row - i) / p->stride_y;
            for (int32_t j = column % p->stride_x; j < p->kernel_width && j <= column; j += p->stride_x) {
                int32_t ix = (column - j) / p->stride_x;
                if (iy < p->height && ix < p->width)
                    tap(p, x + (iy * p->width + ix) * p->depth,
                        p->weights + (i * p->kernel_width + j) * p->channels * p->depth, sums);
            }
        }
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = (int16_t)micro_clamp(scaled(p, sums[c], p->scales[c]), p->low, p->high);
    }
}
