#include "micro_conv_f32.h"

#include <float.h>
#include <string.h>

/* What the output pixel at (row, column) before pooling sees. */
static void gather(const micro_conv_f32 *p, const float *x, int32_t row, int32_t column, float *to)
{
    size_t pixel = (size_t)p->depth * sizeof(float);
    for (int32_t i = 0; i < p->kernel_height; i++) {
        int32_t iy = row * p->stride_y - p->top + i * p->dilation_y;
        int32_t ix = column * p->stride_x - p->left;
        int32_t last = ix + (p->kernel_width - 1) * p->dilation_x;
        int inside = iy >= 0 && iy < p->height;
        if (inside && p->dilation_x == 1 && ix >= 0 && last < p->width) {
            memcpy(to, x + (iy * p->width + ix) * p->depth, pixel * (size_t)p->kernel_width);
            to += p->kernel_width * p->depth;
            continue;
        }
        for (int32_t j = 0; j < p->kernel_width; j++, ix += p->dilation_x, to += p->depth) {
            if (inside && ix >= 0 && ix < p->width)
                memcpy(to, x + (iy * p->width + ix) * p->depth, pixel);
            else
                memset(to, 0, pixel);
        }
    }
}

static void block(const float *w, const float *column, int32_t length, float *sums)
{
    float s[MICRO_BLOCK] = { 0 };
    for (int32_t k = 0; k < length; k++, w += MICRO_BLOCK) {
#if defined(__GNUC__)
#pragma GCC unroll 1 /* unrolled, GCC no longer sees a vector in it */
#endif
        for (int32_t c = 0; c < MICRO_BLOCK; c++)
            s[c] += column[k] * w[c];
    }
    memcpy(sums, s, sizeof s);
}

static void tail(const float *w, const float *column, int32_t length, float *sums, int32_t count)
{
    for (int32_t c = 0; c < count; c++) {
        float sum = 0.0f;
        for (int32_t k = 0; k < length; k++)
            sum += column[k] * w[k * count + c];
        sums[c] = sum;
    }
}

static void all(const micro_conv_f32 *p, const float *column, int32_t first, float *sums)
{
    int32_t count = p->channels - first;
    const float *w = p->weights + first * p->length;
    if (count >= MICRO_BLOCK)
        block(w, column, p->length, sums);
    else
        tail(w, column, p->length, sums, count);
}

static float clamp(const micro_conv_f32 *p, float value)
{
    return value < p->low ? p->low : value > p->high ? p->high : value;
}

void micro_conv_f32_run(const micro_conv_f32 *p, const float *x, float *y, float *column)
{
    float sums[MICRO_BLOCK];
    for (int32_t pixel = 0; pixel < p->pixels; pixel++, y += p->channels) {
        gather(p, x, pixel / p->out_width, pixel % p->out_width, column);
        for (int32_t first = 0; first < p->channels; first += MICRO_BLOCK) {
            all(p, column, first, sums);
            for (int32_t c = 0; c < MICRO_BLOCK && first + c < p->channels; c++)
                y[first + c] = clamp(p, sums[c] + p->bias[first + c]);
        }
    }
}

void micro_conv_pool_f32_run(const micro_conv_f32 *p, const float *x, float *y, float *column)
{
    float sums[MICRO_BLOCK];
    for (int32_t pixel = 0; pixel < p->pixels; pixel++, y += p->channels) {
        int32_t top = pixel / p->out_width * p->pool_stride_y, left = pixel % p->out_width * p->pool_stride_x;
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = -FLT_MAX;
        for (int32_t i = 0; i < p->pool_height * p->pool_width; i++) {
            gather(p, x, top + i / p->pool_width, left + i % p->pool_width, column);
            for (int32_t first = 0; first < p->channels; first += MICRO_BLOCK) {
                all(p, column, first, sums);
                for (int32_t c = 0; c < MICRO_BLOCK && first + c < p->channels; c++)
                    y[first + c] = sums[c] > y[first + c] ? sums[c] : y[first + c];
            }
        }
        for (int32_t c = 0; c < p->channels; c++)
            y[c] = clamp(p, y[c] + p->bias[c]);
    }
}
