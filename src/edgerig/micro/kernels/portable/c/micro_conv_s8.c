#include "micro_conv_s8.h"

#include "micro_columns.h"
#include "micro_scaler.h"

static int8_t finish(const micro_conv_s8 *p, const micro_channel *scale, int32_t sum)
{
    int32_t value = p->once ? micro_scale_once(sum, scale->multiplier, scale->exponent)
                            : micro_scale_twice(sum, scale->multiplier, scale->exponent);
    return (int8_t)micro_clamp(value + p->output_zero, p->low, p->high);
}

/* Scales sums of one channel for count pixels. */
static void finish_pixels(const micro_conv_s8 *p, int32_t c, const int32_t *sums, int32_t count, int8_t *y)
{
    const micro_channel *scale = p->scales + c;
    if (p->doubles) {
        micro_scale_sums(scale, p->output_zero, p->low, p->high, sums, count, y + c, p->channels);
        return;
    }
    for (int32_t i = 0; i < count; i++)
        y[i * p->channels + c] = finish(p, scale, sums[i] + scale->bias);
}

void micro_conv_s8_run(const micro_conv_s8 *p, const int8_t *x, int8_t *y, int16_t *columns, int8_t *zeros)
{
    micro_columns_begin(p, columns, zeros);
    int32_t row = 0, column = 0;
    for (int32_t pixel = 0; pixel < p->pixels; pixel += 4) {
        int32_t count = p->pixels - pixel < 4 ? p->pixels - pixel : 4;
        int32_t rows[4], places[4];
        for (int32_t i = 0; i < count; i++) {
            rows[i] = row;
            places[i] = column;
            if (++column == p->out_width) {
                column = 0;
                row++;
            }
        }
        micro_columns_gather(p, x, rows, places, count, columns, zeros);
        for (int32_t c = 0; c < p->channels; c += 2) {
            int32_t sums[8] = { 0 };
            micro_columns_dot(p, c, columns, count, sums);
            finish_pixels(p, c, sums, count, y);
            if (c + 1 < p->channels)
                finish_pixels(p, c + 1, sums + 4, count, y);
        }
        y += count * p->channels;
    }
}

/* The greatest sum of each channel over the pixels of one pooling window. */
static void greatest(const micro_conv_s8 *p, const int16_t *columns, int32_t count, int32_t *best)
{
    for (int32_t c = 0; c < p->channels; c += 2) {
        int32_t sums[8] = { 0 };
        micro_columns_dot(p, c, columns, count, sums);
        for (int32_t half = 0; half < 2 && c + half < p->channels; half++) {
            const int32_t *each = sums + 4 * half;
            int32_t first = each[0] > each[1] ? each[0] : each[1], last = each[2] > each[3] ? each[2] : each[3];
            int32_t most = first > last ? first : last;
            best[c + half] = most > best[c + half] ? most : best[c + half];
        }
    }
}

void micro_conv_pool_s8_run(const micro_conv_s8 *p, const int8_t *x, int8_t *y, int16_t *columns, int8_t *zeros,
                            int32_t *best)
{
    micro_columns_begin(p, columns, zeros);
    for (int32_t pixel = 0; pixel < p->pixels; pixel++, y += p->channels) {
        int32_t top = pixel / p->out_width * p->pool_stride_y, left = pixel % p->out_width * p->pool_stride_x;
        int32_t count = 0, rows[4], places[4];
        for (int32_t c = 0; c < p->channels; c++)
            best[c] = INT32_MIN;
        for (int32_t i = 0; i < p->pool_height; i++) {
            for (int32_t j = 0; j < p->pool_width; j++) {
                rows[count] = top + i;
                places[count] = left + j;
                if (++count == 4 || (i + 1 == p->pool_height && j + 1 == p->pool_width)) {
                    micro_columns_gather(p, x, rows, places, count, columns, zeros);
                    greatest(p, columns, count, best);
                    count = 0;
                }
            }
        }
        /* Scaling keeps the order, so that the greatest sum gives the greatest output. */
        for (int32_t c = 0; c < p->channels; c++)
            finish_pixels(p, c, best + c, 1, y);
    }
}
