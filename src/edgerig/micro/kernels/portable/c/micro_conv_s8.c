#include "micro_conv_s8.h"

#include "micro_columns.h"

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
            int32_t sums[8];
            micro_columns_dot(p, c, columns, count, sums);
            micro_scale_sums(&p->scaling, p->scales + c, c + 1 < p->channels ? 2 : 1, sums, 4, count, y + c,
                             p->channels);
        }
        y += count * p->channels;
    }
}

/* The greatest sum of each channel over the pixels of one pooling window. */
static void greatest(const micro_conv_s8 *p, const int16_t *columns, int32_t count, int32_t *best)
{
    for (int32_t c = 0; c < p->channels; c += 2) {
        int32_t sums[8];
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
        micro_scale_sums(&p->scaling, p->scales, p->channels, best, 1, 1, y, 0);
    }
}
