#include "micro_transpose_conv_s8.h"

static void tap(const micro_transpose_conv_s8 *p, const int8_t *x, const int8_t *w, int32_t *sums)
{
    int16_t zero = (int16_t)p->input_zero;
    for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
        int32_t sum = 0;
        for (int32_t k = 0; k < p->depth; k++)
            sum += (int16_t)(x[k] - zero) * w[k];
        sums[c] += sum;
    }
}

void micro_transpose_conv_s8_run(const micro_transpose_conv_s8 *p, const int8_t *x, int8_t *y, int32_t *sums)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->channels) {
        int32_t row = pixel / p->out_width + p->top, column = pixel % p->out_width + p->left;
        for (int32_t c = 0; c < p->channels; c++)
            sums[c] = p->scales[c].bias;
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
        for (int32_t c = 0; c < p->channels; c++) {
            int32_t value = micro_scale_twice(sums[c], p->scales[c].multiplier, p->scales[c].exponent);
            y[c] = (int8_t)micro_clamp(value + p->output_zero, p->low, p->high);
        }
    }
}
