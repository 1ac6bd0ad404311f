#include "micro_image_f32.h"

#include <float.h>

static float clamp(const micro_image_f32 *p, float value)
{
    return value < p->low ? p->low : value > p->high ? p->high : value;
}

/* The input pixel that tap (i, j) of output pixel `pixel` sees; NULL outside. */
static const float *seen(const micro_image_f32 *p, const float *x, int32_t pixel, int32_t i, int32_t j)
{
    int32_t iy = pixel / p->out_width * p->stride_y - p->top + i * p->dilation_y;
    int32_t ix = pixel % p->out_width * p->stride_x - p->left + j * p->dilation_x;
    int inside = iy >= 0 && iy < p->height && ix >= 0 && ix < p->width;
    return inside ? x + (iy * p->width + ix) * p->depth : 0;
}

void micro_depthwise_f32_run(const micro_image_f32 *p, const float *x, float *y)
{
    int32_t multiplier = p->channels / p->depth;
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->channels) {
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = p->bias[c];
        for (int32_t t = 0; t < p->kernel_height * p->kernel_width; t++) {
            const float *from = seen(p, x, pixel, t / p->kernel_width, t % p->kernel_width);
            const float *w = p->weights + t * p->channels;
            if (!from)
                continue;
            if (multiplier == 1) {
                for (int32_t c = 0; c < p->channels; c++)
                    y[c] += from[c] * w[c];
            } else {
                for (int32_t c = 0; c < p->channels; c++)
                    y[c] += from[c / multiplier] * w[c];
            }
        }
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = clamp(p, y[c]);
    }
}

static void transposed_tap(const micro_image_f32 *p, const float *from, const float *w, float *y)
{
    for (int32_t c = 0; c < p->channels; c++, w += p->depth) {
        float sum = 0.0f;
        for (int32_t k = 0; k < p->depth; k++)
            sum += from[k] * w[k];
        y[c] += sum;
    }
}

void micro_transpose_conv_f32_run(const micro_image_f32 *p, const float *x, float *y)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->channels) {
        int32_t row = pixel / p->out_width + p->top, column = pixel % p->out_width + p->left;
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = p->bias[c];
        for (int32_t i = row % p->stride_y; i < p->kernel_height && i <= row; i += p->stride_y) {
            int32_t iy = (row - i) / p->stride_y;
            for (int32_t j = column % p->stride_x; j < p->kernel_width && j <= column; j += p->stride_x) {
                int32_t ix = (column - j) / p->stride_x;
                if (iy < p->height && ix < p->width)
                    transposed_tap(p, x + (iy * p->width + ix) * p->depth,
                                   p->weights + (i * p->kernel_width + j) * p->channels * p->depth, y);
            }
        }
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = clamp(p, y[c]);
    }
}

void micro_max_pool_f32_run(const micro_image_f32 *p, const float *x, float *y)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->depth) {
        for (int32_t c = 0; c < p->depth; c++)
            y[c] = -FLT_MAX;
        for (int32_t t = 0; t < p->kernel_height * p->kernel_width; t++) {
            const float *from = seen(p, x, pixel, t / p->kernel_width, t % p->kernel_width);
            for (int32_t c = 0; from && c < p->depth; c++)
                y[c] = from[c] > y[c] ? from[c] : y[c];
        }
        for (int32_t c = 0; c < p->depth; c++)
            y[c] = clamp(p, y[c]);
    }
}

void micro_average_pool_f32_run(const micro_image_f32 *p, const float *x, float *y)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += p->depth) {
        int32_t count = 0;
        for (int32_t c = 0; c < p->depth; c++)
            y[c] = 0.0f;
        for (int32_t t = 0; t < p->kernel_height * p->kernel_width; t++) {
            const float *from = seen(p, x, pixel, t / p->kernel_width, t % p->kernel_width);
            count += from ? 1 : 0;
            for (int32_t c = 0; from && c < p->depth; c++)
                y[c] += from[c];
        }
        for (int32_t c = 0; c < p->depth; c++)
            y[c] = clamp(p, y[c] / (float)count);
    }
}

void micro_resize_f32_run(const micro_image_f32 *p, const micro_tap_f32 *rows, const micro_tap_f32 *columns,
                          const float *x, float *y)
{
    for (int32_t i = 0; i < p->out_height; i++) {
        const float *above = x + rows[i].lower * p->width * p->depth, *below = x + rows[i].upper * p->width * p->depth;
        float down = rows[i].weight;
        for (int32_t j = 0; j < p->out_width; j++, y += p->depth) {
            int32_t l = columns[j].lower * p->depth, r = columns[j].upper * p->depth;
            float across = columns[j].weight;
            for (int32_t k = 0; k < p->depth; k++) {
                float left = above[l + k] * (1.0f - down) + below[l + k] * down;
                float right = above[r + k] * (1.0f - down) + below[r + k] * down;
                y[k] = left * (1.0f - across) + right * across;
            }
        }
    }
}
