#include "micro_depthwise_s8.h"

#include <string.h>

#include "micro_loop.h"

/* Machines with vector units: channels side by side, and GCC is to use them for these loops at -O2 too. */
#if defined(__SSE2__) || defined(__ARM_NEON) || defined(__ARM_FEATURE_MVE)
#define LANES 8
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O3")
#endif
#endif

#define TILE MICRO_DEPTHWISE_TILE
/* Channels that are scaled together. */
#define GROUP 8

#ifdef LANES

/* LANES channels of the window whose first place is places[0]. */
static void sum_lanes(const micro_depthwise_s8 *p, const int8_t *const *places, int32_t c, int32_t *sums)
{
    const int8_t *w = p->weights + c;
    int32_t s[LANES] = { 0 };
    for (int32_t i = 0; i < p->kernel_height; i++, places += p->columns) {
        for (int32_t j = 0; j < p->kernel_width; j++, w += p->depth) {
            const int8_t *x = places[j * p->dilation_x] + c;
            for (int32_t l = 0; l < LANES; l++)
                s[l] += (int16_t)x[l] * w[l];
        }
    }
    for (int32_t l = 0; l < LANES; l++)
        sums[l] = s[l];
}

#endif

/* Channels c to end of TILE windows: each weight is read once for all of them. */
static void sum_any(const micro_depthwise_s8 *p, const int8_t *const *places, int32_t c, int32_t end, int32_t *sums)
{
    int32_t depth = p->depth, step = p->stride_x;
    for (; c < end; c++) {
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        const int8_t *w = p->weights + c;
        const int8_t *const *line = places;
        for (int32_t i = p->kernel_height; i > 0; i--, line += p->columns) {
            const int8_t *const *at = line;
            MICRO_AS_IT_IS
            for (int32_t j = p->kernel_width; j > 0; j--, at += p->dilation_x, w += depth) {
                int32_t weight = *w;
                s0 += weight * at[0][c];
                s1 += weight * at[step][c];
                s2 += weight * at[2 * step][c];
                s3 += weight * at[3 * step][c];
            }
        }
        *sums++ = s0;
        *sums++ = s1;
        *sums++ = s2;
        *sums++ = s3;
    }
}

/* Channels c to end of one window, whose columns are side by side if `threes`, and three. */
static void sum_alone(const micro_depthwise_s8 *p, const int8_t *const *places, int32_t threes, int32_t c, int32_t end,
                      int32_t *sums)
{
    int32_t depth = p->depth;
    for (; c < end; c++, sums += TILE) {
        int32_t sum = 0;
        const int8_t *w = p->weights + c;
        const int8_t *const *line = places;
        for (int32_t i = p->kernel_height; i > 0; i--, line += p->columns) {
            if (threes) {
                sum += w[0] * line[0][c] + w[depth] * line[1][c] + w[2 * depth] * line[2][c];
                w += 3 * depth;
                continue;
            }
            const int8_t *const *at = line;
            for (int32_t j = p->kernel_width; j > 0; j--, at += p->dilation_x, w += depth)
                sum += *w * (*at)[c];
        }
        *sums = sum;
    }
}

/* One channel of TILE windows of three columns that lie one or two apart: what two of them see is read once, too. */
static inline void sum_threes(const micro_depthwise_s8 *p, const int8_t *const *places, int32_t step, int32_t c,
                              int32_t *sums)
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, depth = p->depth;
    const int8_t *w = p->weights + c;
    MICRO_AS_IT_IS
    for (int32_t i = p->kernel_height; i > 0; i--, places += 3 * step + 3) {
        int32_t w0 = w[0], w1 = w[depth], w2 = w[2 * depth], x;
        w += 3 * depth;
        s0 += w0 * places[0][c];
        x = places[1][c];
        s0 += w1 * x;
        if (step == 1)
            s1 += w0 * x;
        x = places[2][c];
        s0 += w2 * x;
        if (step == 1) {
            s1 += w1 * x;
            s2 += w0 * x;
            x = places[3][c];
            s1 += w2 * x;
            s2 += w1 * x;
            s3 += w0 * x;
            x = places[4][c];
            s2 += w2 * x;
            s3 += w1 * x;
            s3 += w2 * places[5][c];
        } else {
            s1 += w0 * x;
            s1 += w1 * places[3][c];
            x = places[4][c];
            s1 += w2 * x;
            s2 += w0 * x;
            s2 += w1 * places[5][c];
            x = places[6][c];
            s2 += w2 * x;
            s3 += w0 * x;
            s3 += w1 * places[7][c];
            s3 += w2 * places[8][c];
        }
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

static void sum_threes_1(const micro_depthwise_s8 *p, const int8_t *const *places, int32_t c, int32_t end,
                         int32_t *sums)
{
    for (; c < end; c++, sums += TILE)
        sum_threes(p, places, 1, c, sums);
}

static void sum_threes_2(const micro_depthwise_s8 *p, const int8_t *const *places, int32_t c, int32_t end,
                         int32_t *sums)
{
    for (; c < end; c++, sums += TILE)
        sum_threes(p, places, 2, c, sums);
}

/* Where TILE windows from (top, left) on see something: in the image, or a pixel of zeros outside of it. */
static void find_places(const micro_depthwise_s8 *p, const int8_t *x, int32_t top, int32_t left, const int8_t *zeros,
                        const int8_t **places)
{
    int32_t width = p->width, depth = p->depth;
    for (int32_t i = 0; i < p->kernel_height; i++, top += p->dilation_y) {
        int32_t inside = top >= 0 && top < p->height, at = (top * width + left) * depth;
        for (int32_t column = left; column < left + p->columns; column++, at += depth)
            *places++ = inside && column >= 0 && column < width ? x + at : zeros;
    }
}

/* Up to TILE output pixels side by side. */
static void run_tile(const micro_depthwise_s8 *p, const int8_t *const *places, int32_t count, int8_t *y)
{
    int32_t c = 0, depth = p->depth, threes = p->kernel_width == 3 && p->dilation_x == 1 ? p->stride_x : 0;
#ifdef LANES
    for (; c + LANES <= depth; c += LANES) {
        for (int32_t n = 0; n < count; n++) {
            int32_t sums[LANES];
            sum_lanes(p, places + n * p->stride_x, c, sums);
            micro_scale_sums(&p->scaling, p->scales + c, LANES, sums, 1, 1, y + n * depth + c, 0);
        }
    }
#endif
    while (c < depth) {
        int32_t sums[GROUP * TILE], end = depth - c < GROUP ? depth : c + GROUP;
        if (count == 1)
            sum_alone(p, places, threes, c, end, sums);
        else if (threes == 1)
            sum_threes_1(p, places, c, end, sums);
        else if (threes == 2)
            sum_threes_2(p, places, c, end, sums);
        else
            sum_any(p, places, c, end, sums);
        micro_scale_sums(&p->scaling, p->scales + c, end - c, sums, TILE, count, y + c, depth);
        c = end;
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

void micro_depthwise_s8_run(const micro_depthwise_s8 *p, const int8_t *x, int8_t *y, const int8_t **places,
                            int8_t *zeros)
{
    int32_t channels = p->depth * p->multiplier, tile = p->multiplier > 1 ? 1 : TILE;
    if (zeros)
        memset(zeros, p->input_zero, (size_t)p->depth);
    const int32_t rows = p->out_height, width = p->out_width, last = (width - 1) / tile * tile;
    for (int32_t i = 0; i < rows; i++) {
        int32_t row = p->backward ? rows - 1 - i : i, top = row * p->stride_y - p->top;
        for (int32_t j = 0; j < width; j += tile) {
            int32_t column = p->backward ? last - j : j, left = column * p->stride_x - p->left;
            int32_t count = width - column < tile ? width - column : tile;
            int8_t *to = y + (row * width + column) * channels;
            if (zeros) {
                find_places(p, x, top, left, zeros, places);
                run_tile(p, places, count, to);
                continue;
            }
            for (int32_t c = 0; c < channels; c++) {
                int32_t sum = sum_one(p, x, top, left, c);
                micro_scale_sums(&p->scaling, p->scales + c, 1, &sum, 1, 1, to + c, 0);
            }
        }
    }
}
