#include "er_rv_conv.h"

enum { BLOCK = 4, WORD = 4 };

/* Words that may alias whatever is copied. */
typedef uint32_t __attribute__((may_alias)) word;

static void copy(int8_t *to, const int8_t *from, int32_t count)
{
    if ((((uintptr_t)to | (uintptr_t)from) & (WORD - 1)) == 0)
        for (; count >= WORD; count -= WORD, to += WORD, from += WORD)
            *(word *)(void *)to = *(const word *)(const void *)from;
    for (; count >= 4; count -= 4, to += 4, from += 4) {
        const int8_t a = from[0], b = from[1], c = from[2], d = from[3];
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    }
    while (count-- > 0)
        *to++ = *from++;
}

static void fill(int8_t *to, int32_t value, int32_t count)
{
    while (count-- > 0)
        *to++ = (int8_t)value;
}

/* What the output pixel sees whose window begins at (row, column); borders have the input's zero point. */
static void gather(const er_rv_window *w, const int8_t *x, int32_t row, int32_t column, int8_t *to)
{
    const int32_t depth = w->depth, wide = w->kernel_width * depth;
    const int32_t last = column + (w->kernel_width - 1) * w->dilation_x;

    for (int32_t i = 0; i < w->kernel_height; i++, row += w->dilation_y, to += wide) {
        const int8_t *line = x + row * w->width * depth;
        if (row < 0 || row >= w->height) {
            fill(to, w->input_zero, wide);
        } else if (w->dilation_x == 1 && column >= 0 && last < w->width) {
            copy(to, line + column * depth, wide);
        } else {
            for (int32_t j = 0, at = column; j < w->kernel_width; j++, at += w->dilation_x) {
                if (at < 0 || at >= w->width)
                    fill(to + j * depth, w->input_zero, depth);
                else
                    copy(to + j * depth, line + at * depth, depth);
            }
        }
    }
}

void er_rv_window_layer(const er_rv_window *w, const int8_t *x, int8_t *y, int8_t *columns)
{
    int32_t row = -w->top, column = -w->left, across = 0, waiting = 0;

    for (int32_t left = w->pixels; left > 0; left--) {
        gather(w, x, row, column, columns + waiting * w->conv.length);
        column += w->stride_x;
        if (++across == w->out_width) {
            across = 0;
            column = -w->left;
            row += w->stride_y;
        }
        if (++waiting == BLOCK || left == 1) {
            w->run(&w->conv, columns, y, waiting);
            y += waiting * w->conv.channels;
            waiting = 0;
        }
    }
}

void er_rv_pool_layer(const er_rv_window *w, const er_rv_pool *pool, const int8_t *x, int8_t *y, int8_t *columns)
{
    const int32_t count = pool->height * pool->width, filled = (count + BLOCK - 1) / BLOCK * BLOCK;
    int32_t top = -w->top, left = -w->left, across = 0;

    for (int32_t pixel = 0; pixel < w->pixels; pixel++, y += w->conv.channels) {
        int8_t *to = columns;
        /* The greatest does not change if one of them is there again. */
        for (int32_t i = 0; i < filled; i++, to += w->conv.length) {
            const int32_t at = i < count ? i : 0;
            gather(w, x, top + at / pool->width * w->stride_y, left + at % pool->width * w->stride_x, to);
        }
        w->run(&w->conv, columns, y, filled);
        left += pool->stride_x * w->stride_x;
        if (++across == w->out_width) {
            across = 0;
            left = -w->left;
            top += pool->stride_y * w->stride_y;
        }
    }
}
