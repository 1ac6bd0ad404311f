#include "er_rv_depthwise.h"

#define ALWAYS static inline __attribute__((always_inline))

typedef int8_t scaling(int32_t sum, const er_rv_channel *channel, const er_rv_range *range);

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static void fill(int8_t *to, int32_t value, int32_t count)
{
    while (count-- > 0)
        *to++ = (int8_t)value;
}

/* Every step-th byte. */
static void collect(int8_t *to, const int8_t *from, int32_t step, int32_t count)
{
    for (; count >= 4; count -= 4, to += 4) {
        const int8_t *const second = from + step, *const third = second + step, *const fourth = third + step;
        const int8_t a = *from, b = *second, c = *third, d = *fourth;
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
        from = fourth + step;
    }
    for (; count > 0; count--, from += step)
        *to++ = *from;
}

/* The rows of one channel from `first` on, with the input's zero point around them. */
static void copy_rows(const er_rv_depthwise *p, const int8_t *x, int32_t first, int32_t count, int8_t *to)
{
    const int32_t before = smaller(p->left, p->plane_width), inside = smaller(p->width, p->plane_width - before);
    const int32_t after = p->plane_width - before - inside;

    x += first * p->width * p->depth;
    for (int32_t row = first; row < first + count; row++, x += p->width * p->depth, to += p->plane_width) {
        if (row < 0 || row >= p->height) {
            fill(to, p->input_zero, p->plane_width);
            continue;
        }
        fill(to, p->input_zero, before);
        collect(to + before, x, p->depth, inside);
        fill(to + before + inside, p->input_zero, after);
    }
}

/* Any window at any stride. */
static void any_stride(const er_rv_depthwise *p, const int8_t *x, const int8_t *w, int32_t *sums)
{
    for (int32_t column = 0; column < p->out_width; column++, x += p->stride_x) {
        const int8_t *from = x, *weight = w;
        int32_t sum = 0;
        for (int32_t i = 0; i < p->kernel_height; i++, from += p->row.line)
            for (int32_t j = 0; j < p->kernel_width; j++)
                sum += from[j * p->dilation_x] * *weight++;
        sums[column] = sum;
    }
}

ALWAYS void run(const er_rv_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums, scaling *scale)
{
    const int32_t size = p->kernel_height * p->kernel_width, channels = p->depth * p->multiplier;
    const int32_t line = p->out_width * channels, outputs = p->out_width;
    /* Copied, since outputs might lie over it for all that a compiler knows. */
    const er_rv_range range = p->range;

    for (int32_t first = 0; first < p->out_height; first += p->rows, y += p->rows * line) {
        const int32_t rows = smaller(p->rows, p->out_height - first);
        const int32_t seen = (rows - 1) * p->stride_y + (p->kernel_height - 1) * p->dilation_y + 1;
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < channels; c++, w += size) {
            const er_rv_channel channel = p->scales[c];
            if (c % p->multiplier == 0)
                copy_rows(p, x + c / p->multiplier, first * p->stride_y - p->top, seen, plane);
            for (int32_t row = 0; row < rows; row++) {
                const int8_t *const from = plane + row * p->stride_y * p->plane_width;
                int8_t *to = y + row * line + c;
                if (p->sum)
                    p->sum(&p->row, from, w, sums);
                else
                    any_stride(p, from, w, sums);
                for (int32_t i = 0; i < outputs; i++, to += channels)
                    *to = scale(sums[i], &channel, &range);
            }
        }
    }
}

void er_rv_depthwise_once(const er_rv_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums)
{
    run(p, x, y, plane, sums, er_rv_once);
}

void er_rv_depthwise_twice(const er_rv_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums)
{
    run(p, x, y, plane, sums, er_rv_twice);
}
