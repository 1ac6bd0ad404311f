#include "micro_depthwise_s8.h"

/* Machines with vector units: GCC is to use them for these loops at -O2 too. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) &&                \
    (defined(__SSE2__) || defined(__ARM_NEON))
#pragma GCC optimize("O3")
#endif

#define LANES 8

/* Taps of the kernel that see the input: rows i0 to i1, columns j0 to j1; from is what tap (0, 0) would see. */
typedef struct taps {
    int32_t i0, i1, j0, j1, from;
} taps;

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* The first and one past the last of count taps, step apart from start on, that lie in 0 to size. */
static int32_t first_inside(int32_t start, int32_t step)
{
    return start >= 0 ? 0 : (-start + step - 1) / step;
}

static int32_t end_inside(int32_t start, int32_t step, int32_t count, int32_t size)
{
    return start >= size ? 0 : smaller(count, (size - start + step - 1) / step);
}

static taps seen(const micro_depthwise_s8 *p, int32_t pixel)
{
    int32_t y = pixel / p->out_width * p->stride_y - p->top, x = pixel % p->out_width * p->stride_x - p->left;
    taps t;
    t.i0 = first_inside(y, p->dilation_y);
    t.i1 = end_inside(y, p->dilation_y, p->kernel_height, p->height);
    t.j0 = first_inside(x, p->dilation_x);
    t.j1 = end_inside(x, p->dilation_x, p->kernel_width, p->width);
    t.from = (y * p->width + x) * p->depth;
    return t;
}

/* Sums of LANES channels from c on; one output channel for each of the input. */
static void sum_lanes(const micro_depthwise_s8 *p, const int8_t *x, taps t, int32_t c, int32_t *sums)
{
    int16_t zero = (int16_t)p->input_zero;
    int32_t s[LANES] = { 0 };
    for (int32_t i = t.i0; i < t.i1; i++) {
        for (int32_t j = t.j0; j < t.j1; j++) {
            const int8_t *from = x + t.from + (i * p->dilation_y * p->width + j * p->dilation_x) * p->depth + c;
            const int8_t *w = p->weights + (i * p->kernel_width + j) * p->depth + c;
            for (int32_t l = 0; l < LANES; l++)
                s[l] += (int16_t)(from[l] - zero) * w[l];
        }
    }
    for (int32_t l = 0; l < LANES; l++)
        sums[l] = s[l];
}

/* Sum of output channel c. */
static int32_t sum_one(const micro_depthwise_s8 *p, const int8_t *x, taps t, int32_t c)
{
    int32_t channels = p->depth * p->multiplier, sum = 0;
    for (int32_t i = t.i0; i < t.i1; i++) {
        for (int32_t j = t.j0; j < t.j1; j++) {
            int32_t place = (i * p->dilation_y * p->width + j * p->dilation_x) * p->depth + c / p->multiplier;
            sum += (x[t.from + place] - p->input_zero) * p->weights[(i * p->kernel_width + j) * channels + c];
        }
    }
    return sum;
}

static int8_t finish(const micro_depthwise_s8 *p, int32_t c, int32_t sum)
{
    const micro_channel *scale = p->scales + c;
    int32_t value = micro_scale_twice(sum + scale->bias, scale->multiplier, scale->exponent);
    return (int8_t)micro_clamp(value + p->output_zero, p->low, p->high);
}

void micro_depthwise_s8_run(const micro_depthwise_s8 *p, const int8_t *x, int8_t *y)
{
    int32_t channels = p->depth * p->multiplier, sums[LANES];
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++, y += channels) {
        taps t = seen(p, pixel);
        int32_t c = 0;
        for (; p->multiplier == 1 && c + LANES <= channels; c += LANES) {
            sum_lanes(p, x, t, c, sums);
            for (int32_t l = 0; l < LANES; l++)
                y[c + l] = finish(p, c + l, sums[l]);
        }
        for (; c < channels; c++)
            y[c] = finish(p, c, sum_one(p, x, t, c));
    }
}
