#include "er_rv_conv.h"

#include "er_rv_sums.h"

#define ALWAYS static inline __attribute__((always_inline))

enum { BLOCK = 4 };

typedef int8_t scaling(int32_t sum, const er_sc_channel *channel, const er_sc_range *range);

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

ALWAYS void run(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels, scaling *scale)
{
    const int32_t length = conv->length, channels = conv->channels;
    /* Copied, since outputs might lie over it for all that a compiler knows. */
    const er_sc_range range = conv->range;

    for (; pixels >= BLOCK; pixels -= BLOCK, x += BLOCK * length, y += BLOCK * channels) {
        const int8_t *w = conv->weights;
        for (int32_t c = 0; c < channels; c += BLOCK, w += BLOCK * length) {
            const int32_t count = smaller(channels - c, BLOCK);
            er_rv_block sums;
            er_rv_sums(w, x, length, &sums);
            for (int32_t i = 0; i < count; i++) {
                const er_sc_channel channel = conv->scales[c + i];
                int8_t *const out = y + c + i;
                out[0] = scale(sums.at[0][i], &channel, &range);
                out[channels] = scale(sums.at[1][i], &channel, &range);
                out[2 * channels] = scale(sums.at[2][i], &channel, &range);
                out[3 * channels] = scale(sums.at[3][i], &channel, &range);
            }
        }
    }
    for (; pixels > 0; pixels--, x += length, y += channels) {
        const int8_t *w = conv->weights;
        for (int32_t c = 0; c < channels; c += BLOCK, w += BLOCK * length) {
            const int32_t count = smaller(channels - c, BLOCK);
            int32_t sums[BLOCK];
            er_rv_sums_pixel(w, x, length, sums);
            for (int32_t i = 0; i < count; i++)
                y[c + i] = scale(sums[i], &conv->scales[c + i], &range);
        }
    }
}

ALWAYS void greatest(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels, scaling *scale)
{
    const int8_t *w = conv->weights;
    const er_sc_range range = conv->range;

    for (int32_t c = 0; c < conv->channels; c += BLOCK, w += BLOCK * conv->length) {
        const int32_t count = smaller(conv->channels - c, BLOCK);
        int32_t best[BLOCK] = { INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN };
        for (int32_t first = 0; first < pixels; first += BLOCK) {
            er_rv_block sums;
            er_rv_sums(w, x + first * conv->length, conv->length, &sums);
            for (int32_t i = 0; i < BLOCK; i++) {
                const int32_t low = greater(sums.at[0][i], sums.at[1][i]), high = greater(sums.at[2][i], sums.at[3][i]);
                best[i] = greater(best[i], greater(low, high));
            }
        }
        for (int32_t i = 0; i < count; i++)
            y[c + i] = scale(best[i], &conv->scales[c + i], &range);
    }
}

void er_rv_conv_once(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels)
{
    run(conv, x, y, pixels, er_sc_once);
}

void er_rv_conv_twice(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels)
{
    run(conv, x, y, pixels, er_sc_twice);
}

void er_rv_greatest_once(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels)
{
    greatest(conv, x, y, pixels, er_sc_once);
}

void er_rv_greatest_twice(const er_rv_conv *conv, const int8_t *x, int8_t *y, int32_t pixels)
{
    greatest(conv, x, y, pixels, er_sc_twice);
}
