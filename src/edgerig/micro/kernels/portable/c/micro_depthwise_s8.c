#include "micro_depthwise_s8.h"

/* Machines with vector units: GCC is to use them for these loops at -O2 too. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) \
    && (defined(__SSE2__) || defined(__ARM_NEON))
#pragma GCC optimize("O3")
#endif

/* One tap of the kernel at one pixel: it adds to the sum of every channel. */
static void tap(const micro_depthwise_s8 *p, const int8_t *x, const int8_t *w, int32_t *sums)
{
    int16_t zero = (int16_t)p->input_zero;
    if (p->multiplier == 1) {
        for (int32_t c = 0; c < p->depth; c++)
            sums[c] += (int16_t)(x[c] - zero) * w[c];
        return;
    }
    for (int32_t c = 0; c < p->depth; c++) {
        for (int32_t m = 0; m < p->multiplier; m++)
            *sums++ += (x[c] - zero) * *w++;
    }
}

void micro_depthwise_s8_run(const micro_depthwise_s8 *p, const int8_t *x, int8_t *y, int32_t *sums)
{
    int32_t channels = p->depth * p->multiplier;
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += channels) {
        int32_t top = pixel / p->out_width * p->stride_y - p->top, left = pixel % p->out_width * p->stride_x - p->left;
        for (int32_t c = 0; c < channels; c++)
            sums[c] = p->scales[c].bias;
        for (int32_t i = 0; i < p->kernel_height; i++) {
            int32_t iy = top + i * p->dilation_y;
            if (iy < 0 || iy >= p->height)
                continue;
            for (int32_t j = 0; j < p->kernel_width; j++) {
                int32_t ix = left + j * p->dilation_x;
                if (ix >= 0 && ix < p->width)
                    tap(p, x + (iy * p->width + ix) * p->depth,
                        p->weights + (i * p->kernel_width + j) * channels, sums);
            }
        }
        for (int32_t c = 0; c < channels; c++) {
            int32_t value = micro_scale_twice(sums[c], p->scales[c].multiplier, p->scales[c].exponent);
            y[c] = (int8_t)micro_clamp(value + p->output_zero, p->low, p->high);
        }
    }
}
