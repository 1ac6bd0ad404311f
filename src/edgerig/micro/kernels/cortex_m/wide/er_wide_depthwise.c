#include "er_wide_depthwise.h"

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* The first of count taps, step apart from start on, within 0 to size, and one past the last. */
static int32_t first_inside(int32_t start, int32_t step)
{
    return start >= 0 ? 0 : (-start + step - 1) / step;
}

static int32_t end_inside(int32_t start, int32_t step, int32_t count, int32_t size)
{
    return start >= size ? 0 : smaller(count, (size - start + step - 1) / step);
}

static uint32_t two(const int16_t *at)
{
    uint32_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}

static int32_t lower(uint32_t x, uint32_t w, int32_t sum)
{
    __asm__("smlabb %0, %1, %2, %3" : "=r"(sum) : "r"(x), "r"(w), "r"(sum));
    return sum;
}

static int32_t upper(uint32_t x, uint32_t w, int32_t sum)
{
    __asm__("smlatt %0, %1, %2, %3" : "=r"(sum) : "r"(x), "r"(w), "r"(sum));
    return sum;
}

/* Rows and columns of the window that lie in the image, and what its first tap would see. */
typedef struct taps {
    int32_t i0, i1, j0, j1;
    const int16_t *from;
} taps;

static void four(const er_wide *l, const int16_t *weights, const taps *t, int32_t c, int32_t *s)
{
    const int32_t line = l->dilation_y * l->width * l->depth, step = l->dilation_x * l->depth;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t i = t->i0; i < t->i1; i++) {
        const int16_t *x = t->from + i * line + t->j0 * step + c;
        const int16_t *w = weights + (i * l->kernel_width + t->j0) * l->depth + c;
        for (int32_t j = t->j0; j < t->j1; j++, x += step, w += l->depth) {
            const uint32_t xa = two(x), xb = two(x + 2), wa = two(w), wb = two(w + 2);
            s0 = lower(xa, wa, s0);
            s1 = upper(xa, wa, s1);
            s2 = lower(xb, wb, s2);
            s3 = upper(xb, wb, s3);
        }
    }
    s[0] = s0, s[1] = s1, s[2] = s2, s[3] = s3;
}

static int32_t one(const er_wide *l, const int16_t *weights, const taps *t, int32_t c)
{
    int32_t sum = 0;
    for (int32_t i = t->i0; i < t->i1; i++)
        for (int32_t j = t->j0; j < t->j1; j++)
            sum += t->from[(i * l->dilation_y * l->width + j * l->dilation_x) * l->depth + c] *
                   weights[(i * l->kernel_width + j) * l->depth + c];
    return sum;
}

void er_wide_depthwise(const er_wide *l, const int16_t *weights, const int16_t *in, int16_t *out)
{
    int32_t y = -l->top, x = -l->left, across = 0;
    for (int32_t pixel = 0; pixel < l->pixels; pixel++, out += l->depth) {
        const taps t = { first_inside(y, l->dilation_y), end_inside(y, l->dilation_y, l->kernel_height, l->height),
                         first_inside(x, l->dilation_x), end_inside(x, l->dilation_x, l->kernel_width, l->width),
                         in + (y * l->width + x) * l->depth };
        int32_t c = 0;
        for (; c + 4 <= l->depth; c += 4) {
            int32_t s[4];
            four(l, weights, &t, c, s);
            for (int32_t i = 0; i < 4; i++)
                out[c + i] = (int16_t)er_wide_output(l, c + i, s[i]);
        }
        for (; c < l->depth; c++)
            out[c] = (int16_t)er_wide_output(l, c, one(l, weights, &t, c));
        x += l->stride_x;
        if (++across == l->out_width) {
            across = 0;
            x = -l->left;
            y += l->stride_y;
        }
    }
}
