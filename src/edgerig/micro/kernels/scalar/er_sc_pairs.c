#include "er_sc_pairs.h"

enum { BLOCK = 4 };

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static void outputs(const er_sc_pairs *p, const int32_t *columns, int32_t count, int8_t *y)
{
    const int8_t *w = p->weights;
    const uint8_t *kind = p->kinds;
    const er_sc_channel *channel = p->scales;
    er_sc_scale *const scale = p->scale;
    const int32_t channels = p->channels, length = p->length;

    for (const er_sc_channel *const end = channel + channels; channel != end; channel++, w += length) {
        int32_t sums[BLOCK];
        p->dots[*kind++](w, columns, length, sums);
        scale(channel, &p->range, sums, count, y++, channels);
    }
}

void er_sc_pairs_run(const er_sc_pairs *p, const int8_t *x, int8_t *y, int32_t pixels, int32_t *columns)
{
    for (; pixels > 0; pixels -= BLOCK, x += BLOCK * p->inputs, y += BLOCK * p->channels) {
        const int32_t count = smaller(pixels, BLOCK);
        const int8_t *from[BLOCK];
        /* Pixels that are not there are the last one once more. */
        for (int32_t i = 0; i < BLOCK; i++)
            from[i] = x + smaller(i, count - 1) * p->inputs;
        er_sc_pack(from, p->inputs, columns);
        outputs(p, columns, count, y);
    }
}

/* The window of an output pixel, by its first row and column. */
typedef struct place {
    int32_t row, column;
} place;

static void fill(int8_t *zeros, int32_t value, int32_t count)
{
    while (count-- > 0)
        *zeros++ = (int8_t)value;
}

/* What lies at a row and column and behind it, as far as it lies side by side. */
static const int8_t *seen(const er_sc_window *w, const int8_t *x, int32_t row, int32_t column, const int8_t *zeros)
{
    if (row < 0 || row >= w->height || column < 0 || column >= w->width)
        return zeros;
    return x + (row * w->width + column) * w->depth;
}

/* What four windows see: by rows where all of them lie within the image's columns, else value by value of columns. */
static void gather(const er_sc_window *w, const int8_t *x, const place places[4], int32_t *columns, const int8_t *zeros)
{
    const int32_t last = (w->kernel_width - 1) * w->dilation_x;
    int32_t whole = w->dilation_x == 1;

    for (int32_t i = 0; i < BLOCK; i++)
        whole &= places[i].column >= 0 && places[i].column + last < w->width;
    const int32_t parts = whole ? 1 : w->kernel_width, count = whole ? w->kernel_width * w->depth : w->depth;
    for (int32_t i = 0, down = 0; i < w->kernel_height; i++, down += w->dilation_y) {
        for (int32_t j = 0, across = 0; j < parts; j++, across += w->dilation_x, columns += 2 * count) {
            const int8_t *from[BLOCK];
            for (int32_t n = 0; n < BLOCK; n++)
                from[n] = seen(w, x, places[n].row + down, places[n].column + across, zeros);
            er_sc_pack(from, count, columns);
        }
    }
}

void er_sc_window_run(const er_sc_window *w, const int8_t *x, int8_t *y, int32_t *columns, int8_t *zeros)
{
    place places[BLOCK] = { { -w->top, -w->left } };
    int32_t across = 0;

    if (zeros)
        fill(zeros, w->input_zero, w->kernel_width * w->depth);
    for (int32_t pixels = w->pixels; pixels > 0; pixels -= BLOCK, y += BLOCK * w->pairs.channels) {
        const int32_t count = smaller(pixels, BLOCK);
        place next = places[0];
        for (int32_t i = 0; i < BLOCK; i++) {
            places[i] = i < count ? next : places[count - 1];
            next.column += w->stride_x;
            if (++across == w->out_width) {
                across = 0;
                next.column = -w->left;
                next.row += w->stride_y;
            }
        }
        gather(w, x, places, columns, zeros);
        outputs(&w->pairs, columns, count, y);
        places[0] = next;
    }
}

/* The greatest sum of each channel over blocks of four pixels. */
static void greatest(const er_sc_pairs *p, const int32_t *columns, int32_t blocks, int8_t *y)
{
    const int8_t *w = p->weights;

    for (int32_t c = 0; c < p->channels; c++, w += p->length) {
        const int32_t *from = columns;
        int32_t best = INT32_MIN, sums[BLOCK];
        for (int32_t i = 0; i < blocks; i++, from += 2 * p->length) {
            p->dots[p->kinds[c]](w, from, p->length, sums);
            best = greater(best, greater(greater(sums[0], sums[1]), greater(sums[2], sums[3])));
        }
        p->scale(p->scales + c, &p->range, &best, 1, y + c, 0);
    }
}

void er_sc_pool_run(const er_sc_window *w, const er_sc_pool *pool, const int8_t *x, int8_t *y, int32_t *columns,
                    int8_t *zeros)
{
    const int32_t count = pool->height * pool->width, blocks = (count + BLOCK - 1) >> 2;
    place first = { -w->top, -w->left };
    int32_t across = 0;

    if (zeros)
        fill(zeros, w->input_zero, w->kernel_width * w->depth);
    for (int32_t pixels = w->pixels; pixels > 0; pixels--, y += w->pairs.channels) {
        place places[BLOCK], next = first;
        int32_t column = 0, waiting = 0, *to = columns;
        for (int32_t i = 0; i < blocks * BLOCK; i++) {
            places[waiting] = next;
            /* The greatest does not change if the last one is there again. */
            if (i < count - 1) {
                next.column += w->stride_x;
                if (++column == pool->width) {
                    column = 0;
                    next.column = first.column;
                    next.row += w->stride_y;
                }
            }
            if (++waiting == BLOCK) {
                gather(w, x, places, to, zeros);
                to += 2 * w->pairs.length;
                waiting = 0;
            }
        }
        greatest(&w->pairs, columns, blocks, y);
        first.column += pool->stride_x * w->stride_x;
        if (++across == w->out_width) {
            across = 0;
            first.column = -w->left;
            first.row += pool->stride_y * w->stride_y;
        }
    }
}
