#include "er_mve_conv.h"

#include "er_mve_copy.h"

void er_mve_pointwise_layer(const er_mve_conv *conv, er_mve_conv_run *run, int32_t pixels, int32_t depth,
                            const int8_t *x, int8_t *y)
{
    er_mve_walk walk = { depth, conv->channels, pixels / 2 }, last = { 0, 0, 1 };

    if (walk.pairs > 0)
        run(conv, x, y, &walk);
    if (pixels % 2 != 0)
        run(conv, x + (pixels - 1) * depth, y + (pixels - 1) * conv->channels, &last);
}

static int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* The first tap of those `step` apart that lies at 0 or beyond, and the end of those that lie before `size`. */
static int32_t first_tap(int32_t begin, int32_t step)
{
    return begin >= 0 ? 0 : (step - 1 - begin) / step;
}

static int32_t end_tap(int32_t begin, int32_t step, int32_t size, int32_t taps)
{
    return begin >= size ? 0 : smaller(taps, (size - 1 - begin) / step + 1);
}

/* A window that may lie partly outside of the image, or has gaps along rows: there with the input's zero point. */
static void gather_parts(const er_mve_window *w, const int8_t *x, int32_t row, int32_t column, int8_t *to)
{
    int32_t depth = w->depth, line = w->width * depth, wide = w->kernel_width * depth;
    int32_t top = first_tap(row, w->dilation_y), left = first_tap(column, w->dilation_x);
    int32_t bottom = end_tap(row, w->dilation_y, w->height, w->kernel_height);
    int32_t right = end_tap(column, w->dilation_x, w->width, w->kernel_width);
    er_mve_block block = { greater(bottom - top, 0), greater(right - left, 0) * depth, wide, w->dilation_y * line };

    if (block.rows * block.bytes < w->kernel_height * wide)
        er_mve_fill(to, w->input_zero, w->kernel_height * wide);
    if (block.bytes == 0)
        return;
    x += (row + top * w->dilation_y) * line + (column + left * w->dilation_x) * depth;
    to += top * wide + left * depth;
    if (w->dilation_x == 1) {
        er_mve_copy(to, x, &block);
        return;
    }
    block.bytes = depth;
    for (int32_t tap = left; tap < right; tap++, to += depth, x += w->dilation_x * depth)
        er_mve_copy(to, x, &block);
}

/* Copies at most `most` windows of one row of the output, those within the image at once; returns how many. */
static int32_t gather_some(const er_mve_window *w, const int8_t *x, int32_t row, int32_t column, int32_t most,
                           int8_t *to)
{
    int32_t count;

    if (row < 0 || column < 0 || row > w->last_row || column > w->last_column) {
        gather_parts(w, x, row, column, to);
        return 1;
    }
    count = smaller((w->last_column - column) / w->stride_x + 1, most);
    er_mve_copy_windows(to, x + (row * w->width + column) * w->depth, &w->inside, count, w->stride_x * w->depth);
    return count;
}

void er_mve_window_layer(const er_mve_window *w, const int8_t *x, int8_t *y, int8_t *columns)
{
    int32_t length = w->conv.tail + 16 * w->conv.rounds, waiting = 0, across = 0;
    int32_t row = -w->top, column = -w->left;

    for (int32_t left = w->pixels; left > 0;) {
        int32_t most = smaller(w->batch - waiting, w->out_width - across);
        int32_t count = gather_some(w, x, row, column, most, columns + waiting * length);

        left -= count;
        waiting += count;
        across += count;
        column += count * w->stride_x;
        if (across == w->out_width) {
            across = 0;
            column = -w->left;
            row += w->stride_y;
        }
        if (waiting == w->batch || left == 0) {
            er_mve_pointwise_layer(&w->conv, w->run, waiting, length, columns, y);
            y += waiting * w->conv.channels;
            waiting = 0;
        }
    }
}

void er_mve_pool_layer(const er_mve_window *w, const er_mve_pool *pool, const int8_t *x, int8_t *y, int8_t *columns)
{
    int32_t length = w->conv.tail + 16 * w->conv.rounds, across = 0;
    int32_t top = -w->top, left = -w->left;

    for (int32_t pixel = 0; pixel < w->pixels; pixel++, y += w->conv.channels) {
        int8_t *to = columns;

        for (int32_t i = 0; i < pool->height; i++) {
            for (int32_t j = 0; j < pool->width;) {
                int32_t column = left + j * w->stride_x;
                int32_t count = gather_some(w, x, top + i * w->stride_y, column, pool->width - j, to);

                j += count;
                to += count * length;
            }
        }
        /* The greatest does not change if it is there twice. */
        if (pool->height * pool->width % 2 != 0)
            gather_some(w, x, top, left, 1, to);
        pool->run(&w->conv, columns, y, (pool->height * pool->width + 1) / 2);
        left += pool->stride_x * w->stride_x;
        if (++across == w->out_width) {
            across = 0;
            left = -w->left;
            top += pool->stride_y * w->stride_y;
        }
    }
}
