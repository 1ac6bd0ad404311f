#include "micro_depthwise_s8.h"

#include <string.h>

#include "micro_loop.h"
#include "micro_scaler.h"

/* Machines with vector units: channels side by side, and GCC is to use them for these loops at -O2 too. */
#if defined(__SSE2__) || defined(__ARM_NEON) || defined(__ARM_FEATURE_MVE)
#define LANES 8
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O3")
#endif
#endif

#define TILE 4

/* Where TILE windows of channels side by side are read: in the image, or in a copy with its padding. */
typedef struct view {
    const int8_t *from;  /* first channel of the first window */
    const int32_t *taps; /* from the begin of a window to each of its places */
    int32_t step;        /* from one window to the next */
} view;

static int8_t finish(const micro_depthwise_s8 *p, int32_t c, int32_t sum)
{
    const micro_channel *scale = p->scales + c;
    int32_t value = micro_scale_twice(sum + scale->bias, scale->multiplier, scale->exponent);
    return (int8_t)micro_clamp(value + p->output_zero, p->low, p->high);
}

static void finish_pixels(const micro_depthwise_s8 *p, int32_t c, const int32_t *sums, int32_t count, int8_t *y)
{
    int32_t channels = p->depth * p->multiplier;
    if (p->doubles) {
        micro_scale_sums(p->scales + c, p->output_zero, p->low, p->high, sums, count, y + c, channels);
        return;
    }
    for (int32_t i = 0; i < count; i++)
        y[i * channels + c] = finish(p, c, sums[i]);
}

#ifdef LANES

/* LANES channels of one window. */
static void sum_lanes(const micro_depthwise_s8 *p, const int8_t *from, const int32_t *taps, int32_t c, int32_t *sums)
{
    const int8_t *w = p->weights + c;
    int32_t s[LANES] = { 0 };
    for (int32_t n = p->kernel_height * p->kernel_width; n > 0; n--, w += p->depth) {
        const int8_t *x = from + *taps++;
        for (int32_t l = 0; l < LANES; l++)
            s[l] += (int16_t)x[l] * w[l];
    }
    for (int32_t l = 0; l < LANES; l++)
        sums[l] = s[l];
}

#endif

/* One channel of TILE windows: each weight is read once for all of them. */
static void sum_pixels(const micro_depthwise_s8 *p, const int8_t *from, const view *v, int32_t c, int32_t *sums)
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, depth = p->depth, step = v->step, steps = 3 * step;
    const int32_t *taps = v->taps, *end = taps + p->kernel_height * p->kernel_width;
    const int8_t *w = p->weights + c;
    MICRO_AS_IT_IS
    while (taps != end) {
        const int8_t *x = from + *taps++;
        int32_t weight = *w;
        w += depth;
        s0 += weight * x[0];
        s1 += weight * x[step];
        s2 += weight * x[2 * step];
        s3 += weight * x[steps];
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* Outputs of count windows, and of channels c to end, which the view begins with. */
static void run_view(const micro_depthwise_s8 *p, const view *v, int32_t c, int32_t end, int32_t count, int8_t *y)
{
    const int8_t *from = v->from;
#ifdef LANES
    for (; c + LANES <= end; c += LANES, from += LANES) {
        for (int32_t n = 0; n < count; n++) {
            int32_t sums[LANES];
            sum_lanes(p, from + n * v->step, v->taps, c, sums);
            for (int32_t l = 0; l < LANES; l++)
                finish_pixels(p, c + l, sums + l, 1, y + n * p->depth);
        }
    }
#endif
    for (; c < end; c++, from++) {
        int32_t sums[TILE];
        sum_pixels(p, from, v, c, sums);
        finish_pixels(p, c, sums, count, y);
    }
}

/* Copies what the windows from (top, left) on see, width columns and size channels from c on, with their padding. */
static void copy(const micro_depthwise_s8 *p, const int8_t *x, int32_t top, int32_t left, int32_t width, int32_t c,
                 int32_t size, int8_t *to)
{
    for (int32_t i = 0; i < p->kernel_height; i++) {
        int32_t row = top + i * p->dilation_y;
        for (int32_t column = left; column < left + width; column++, to += p->group) {
            if (row < 0 || row >= p->height || column < 0 || column >= p->width)
                memset(to, p->input_zero, (size_t)p->group);
            else if (size == MICRO_DEPTHWISE_GROUP)
                memcpy(to, x + (row * p->width + column) * p->depth + c, MICRO_DEPTHWISE_GROUP);
            else
                memcpy(to, x + (row * p->width + column) * p->depth + c, (size_t)size);
        }
    }
}

static int32_t tile_width(const micro_depthwise_s8 *p)
{
    return (TILE - 1) * p->stride_x + (p->kernel_width - 1) * p->dilation_x + 1;
}

/* Where the places of a window lie in the image, and behind them, where in a copy. */
static void find_taps(const micro_depthwise_s8 *p, int32_t *taps)
{
    int32_t *copied = taps + p->kernel_height * p->kernel_width, width = tile_width(p);
    for (int32_t i = 0; i < p->kernel_height; i++) {
        for (int32_t j = 0; j < p->kernel_width; j++) {
            *taps++ = (i * p->dilation_y * p->width + j * p->dilation_x) * p->depth;
            *copied++ = (i * width + j * p->dilation_x) * p->group;
        }
    }
}

/* Up to TILE output pixels side by side. */
static void run_tile(const micro_depthwise_s8 *p, const int8_t *x, int32_t row, int32_t column, int32_t count,
                     const int32_t *taps, int8_t *patch, int8_t *y)
{
    int32_t top = row * p->stride_y - p->top, left = column * p->stride_x - p->left, width = tile_width(p);
    int32_t bottom = top + (p->kernel_height - 1) * p->dilation_y;
    if (count == TILE && top >= 0 && left >= 0 && bottom < p->height && left + width <= p->width) {
        view image = { x + (top * p->width + left) * p->depth, taps, p->stride_x * p->depth };
        run_view(p, &image, 0, p->depth, count, y);
        return;
    }
    view copied = { patch, taps + p->kernel_height * p->kernel_width, p->stride_x * p->group };
    for (int32_t c = 0; c < p->depth; c += p->group) {
        int32_t size = p->depth - c < p->group ? p->depth - c : p->group;
        copy(p, x, top, left, width, c, size, patch);
        run_view(p, &copied, c, c + size, count, y);
    }
}

/* Sum of output channel c, of several for each of the input. */
static int32_t sum_one(const micro_depthwise_s8 *p, const int8_t *x, int32_t top, int32_t left, int32_t c)
{
    int32_t channels = p->depth * p->multiplier, sum = 0;
    for (int32_t i = 0; i < p->kernel_height; i++) {
        int32_t row = top + i * p->dilation_y;
        for (int32_t j = 0; j < p->kernel_width; j++) {
            int32_t column = left + j * p->dilation_x, value = p->input_zero;
            if (row >= 0 && row < p->height && column >= 0 && column < p->width)
                value = x[(row * p->width + column) * p->depth + c / p->multiplier];
            sum += value * p->weights[(i * p->kernel_width + j) * channels + c];
        }
    }
    return sum;
}

void micro_depthwise_s8_run(const micro_depthwise_s8 *p, const int8_t *x, int8_t *y, int32_t *taps, int8_t *patch)
{
    int32_t channels = p->depth * p->multiplier;
    if (p->multiplier == 1)
        find_taps(p, taps);
    for (int32_t row = 0; row < p->out_height; row++) {
        int32_t count;
        for (int32_t column = 0; column < p->out_width; column += count, y += count * channels) {
            count = p->multiplier > 1 ? 1 : p->out_width - column < TILE ? p->out_width - column : TILE;
            if (p->multiplier == 1) {
                run_tile(p, x, row, column, count, taps, patch, y);
                continue;
            }
            int32_t top = row * p->stride_y - p->top, left = column * p->stride_x - p->left;
            for (int32_t c = 0; c < channels; c++) {
                int32_t sum = sum_one(p, x, top, left, c);
                finish_pixels(p, c, &sum, 1, y);
            }
        }
    }
}
