#include "micro_curves_s16.h"

#include "micro_requantize.h"

/* Between two entries of the table of the sigmoid, in 1/65536 * 2^-bits; `last` where it ends. */
static int32_t sigmoid(const uint16_t *table, int32_t size, int32_t bits, int32_t last)
{
    int32_t index = size >> bits;
    if (index >= 255)
        return last;
    return ((int32_t)table[index] << bits) + (size & ((1 << bits) - 1)) * (table[index + 1] - table[index]);
}

static int32_t stepped(int32_t x, int32_t multiplier, int32_t shift)
{
    return (int32_t)(((int64_t)x * multiplier + (((int64_t)1 << shift) >> 1)) >> shift);
}

void micro_logistic_s16_run(const uint16_t *table, const int16_t *x, int16_t *y, int32_t count, int32_t multiplier,
                            int32_t shift)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t at = stepped(x[i], multiplier, shift);
        int32_t found = sigmoid(table, at < 0 ? -at : at, 9, INT16_MAX << 10);
        y[i] = (int16_t)((at < 0 ? (1 << 25) - found + 511 : found + 512) >> 10);
    }
}

void micro_tanh_s16_run(const uint16_t *table, const int16_t *x, int16_t *y, int32_t count, int32_t multiplier,
                        int32_t shift)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t at = stepped(x[i], multiplier, shift);
        int32_t found = sigmoid(table, at < 0 ? -at : at, 8, UINT16_MAX << 8) - (1 << 23);
        y[i] = (int16_t)((at < 0 ? 127 - found : found + 128) >> 8);
    }
}

static int32_t rescaled(const micro_rescale *p, int32_t x)
{
    int32_t value = micro_scale_twice(x - p->zero_x, p->multiplier, p->exponent) + p->zero_y;
    return micro_clamp(value, p->low, p->high);
}

void micro_rescale_s16_s16(const micro_rescale *p, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < p->count; i++)
        y[i] = (int16_t)rescaled(p, x[i]);
}

void micro_rescale_s16_s8(const micro_rescale *p, const int16_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->count; i++)
        y[i] = (int8_t)rescaled(p, x[i]);
}

void micro_rescale_s8_s16(const micro_rescale *p, const int8_t *x, int16_t *y)
{
    for (int32_t i = 0; i < p->count; i++)
        y[i] = (int16_t)rescaled(p, x[i]);
}

void micro_leaky_relu_s16_run(const micro_leaky_relu_s16 *p, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < p->count; i++) {
        int32_t value = x[i] < 0 ? micro_scale_twice(x[i], p->multiplier_below, p->exponent_below)
                                 : micro_scale_twice(x[i], p->multiplier, p->exponent);
        y[i] = (int16_t)micro_clamp(value, INT16_MIN, INT16_MAX);
    }
}

/* Between two of the 513 entries of a table, for x of 16 bits. */
static int32_t looked_up(const int16_t *table, int32_t x)
{
    int32_t index = (x + 32768) >> 7;
    return table[index] + (((table[index + 1] - table[index]) * ((x + 32768) & 127) + 64) >> 7);
}

void micro_softmax_s16_run(const micro_softmax_s16 *p, const int16_t *x, int16_t *y)
{
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t most = x[0], sum = 0, zeros = 0;
        for (int32_t c = 1; c < p->depth; c++)
            most = x[c] > most ? x[c] : most;
        for (int32_t c = 0; c < p->depth; c++) {
            int32_t difference = micro_scale_twice(x[c] - most, p->multiplier, p->exponent) + INT16_MAX;
            y[c] = (int16_t)looked_up(p->powers, micro_clamp(difference, INT16_MIN, INT16_MAX));
            sum += y[c];
        }
        while (!((uint32_t)sum >> (31 - zeros)))
            zeros++;
        int32_t shifted = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14) - 3 * 32768;
        int32_t reciprocal = looked_up(p->reciprocals, micro_clamp(shifted, INT16_MIN, INT16_MAX));
        for (int32_t c = 0; c < p->depth; c++) {
            int32_t value = (int32_t)(((int64_t)y[c] * reciprocal + ((int64_t)1 << (30 - zeros))) >> (31 - zeros));
            y[c] = (int16_t)micro_clamp(value, 0, INT16_MAX);
        }
    }
}
