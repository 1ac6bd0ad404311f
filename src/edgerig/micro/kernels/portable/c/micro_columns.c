#include "micro_columns.h"

#include <string.h>

#include "micro_dot.h"
#include "micro_pairs.h"

/* First row and column of a window, and whether all of its columns lie inside and side by side. */
typedef struct window {
    int32_t top, left;
    int32_t whole;
} window;

static window window_at(const micro_conv_s8 *p, int32_t row, int32_t column)
{
    window w;
    w.top = row * p->stride_y - p->top;
    w.left = column * p->stride_x - p->left;
    w.whole = p->dilation_x == 1 && w.left >= 0 && w.left + p->kernel_width <= p->width;
    return w;
}

/* What row i of a window sees from its column j on, in so far as it lies side by side; zeros outside of the image. */
static const int8_t *seen(const micro_conv_s8 *p, const int8_t *x, const window *w, int32_t i, int32_t j,
                          const int8_t *zeros)
{
    int32_t row = w->top + i * p->dilation_y, column = w->left + j * p->dilation_x;
    if (row < 0 || row >= p->height || column < 0 || column >= p->width)
        return zeros;
    return x + (row * p->width + column) * p->depth;
}

#if MICRO_PAIRS

void micro_columns_begin(const micro_conv_s8 *p, int16_t *columns, int8_t *zeros)
{
    (void)columns;
    if (zeros)
        memset(zeros, p->input_zero, (size_t)(p->kernel_width * p->depth));
}

void micro_columns_gather(const micro_conv_s8 *p, const int8_t *x, const int32_t *rows, const int32_t *places,
                          int32_t count, int16_t *columns, const int8_t *zeros)
{
    int32_t *to = (int32_t *)(void *)columns;
    window windows[4];
    int32_t whole = 1;
    for (int32_t n = 0; n < 4; n++) {
        /* Pixels that are not there are the last one once more. */
        int32_t pixel = n < count ? n : count - 1;
        windows[n] = window_at(p, rows[pixel], places[pixel]);
        whole &= windows[n].whole;
    }
    int32_t parts = whole ? 1 : p->kernel_width, values = whole ? p->kernel_width * p->depth : p->depth;
    for (int32_t i = 0; i < p->kernel_height; i++) {
        for (int32_t j = 0; j < parts; j++, to += 2 * values) {
            const int8_t *from[4];
            for (int32_t n = 0; n < 4; n++)
                from[n] = seen(p, x, windows + n, i, j, zeros);
            micro_pairs_pack(from, values, to);
        }
    }
}

#else

void micro_columns_begin(const micro_conv_s8 *p, int16_t *columns, int8_t *zeros)
{
    int32_t used = p->kernel_height * p->kernel_width * p->depth;
    for (int32_t i = 0; i < 4; i++)
        memset(columns + i * p->length + used, 0, (size_t)(p->length - used) * sizeof(int16_t));
    if (zeros)
        memset(zeros, p->input_zero, (size_t)(p->kernel_width * p->depth));
}

void micro_columns_gather(const micro_conv_s8 *p, const int8_t *x, const int32_t *rows, const int32_t *places,
                          int32_t count, int16_t *columns, const int8_t *zeros)
{
    for (int32_t n = 0; n < count; n++) {
        window w = window_at(p, rows[n], places[n]);
        int32_t parts = w.whole ? 1 : p->kernel_width, values = w.whole ? p->kernel_width * p->depth : p->depth;
        int16_t *to = columns + n * p->length;
        for (int32_t i = 0; i < p->kernel_height; i++) {
            for (int32_t j = 0; j < parts; j++, to += values) {
                const int8_t *from = seen(p, x, &w, i, j, zeros);
                for (int32_t k = 0; k < values; k++)
                    to[k] = from[k];
            }
        }
    }
}

void micro_columns_dot(const micro_conv_s8 *p, int32_t c, const int16_t *columns, int32_t count, int32_t *sums)
{
    for (int32_t half = 0; half < 2 && c + half < p->channels; half++) {
        const int8_t *row = p->weights + (c + half) * p->length;
        if (count == 4) {
            micro_dot_4_columns(row, columns, p->length, sums + 4 * half);
        } else {
            for (int32_t i = 0; i < 4; i++)
                sums[4 * half + i] =
                    i < count ? micro_dot(row, columns + i * p->length, p->length) : sums[4 * half + i - 1];
        }
    }
}

#endif
