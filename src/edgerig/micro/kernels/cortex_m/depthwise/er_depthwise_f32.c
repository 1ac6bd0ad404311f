#include "er_depthwise_f32.h"

/* Taps from -start / step, rounded up, to where they leave the image. */
typedef struct span {
    int32_t first, count;
} span;

static span inside(int32_t start, int32_t taps, int32_t step, int32_t size)
{
    int32_t first = start < 0 ? (-start + step - 1) / step : 0;
    int32_t end = start + (taps - 1) * step < size ? taps : (size - start + step - 1) / step;
    span s = { first, end - first };
    return s;
}

void er_depthwise_f32_layer(const er_depthwise_f32 *p, er_depthwise_f32_run *run, const float *in, float *out)
{
    int32_t depth = p->channels;
    for (int32_t y = 0; y < p->out_height; y++) {
        int32_t top = y * p->stride_y - p->top;
        span rows = inside(top, p->kernel_height, p->dilation_y, p->height);
        for (int32_t x = 0; x < p->out_width; x++, out += depth) {
            int32_t left = x * p->stride_x - p->left;
            span columns = inside(left, p->kernel_width, p->dilation_x, p->width);
            int32_t first = (top + rows.first * p->dilation_y) * p->width + left + columns.first * p->dilation_x;
            int32_t step = p->dilation_x * depth, row = p->dilation_y * p->width * depth;
            er_taps_f32 taps = {
                in + first * depth,
                p->weights + (rows.first * p->kernel_width + columns.first) * depth,
                (uint32_t)rows.count,
                (uint32_t)columns.count,
                4 * (uint32_t)step,
                4 * (uint32_t)depth,
                4 * (uint32_t)(row - columns.count * step),
                4 * (uint32_t)((p->kernel_width - columns.count) * depth),
            };
            run(p, &taps, out);
        }
    }
}
