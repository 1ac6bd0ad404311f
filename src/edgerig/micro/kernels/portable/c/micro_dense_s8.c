#include "micro_dense_s8.h"

#include "micro_dot.h"

void micro_dense_s8_run(const micro_dense_s8 *p, const int8_t *x, int8_t *y, int16_t *column)
{
    for (int32_t k = 0; k < p->length; k++)
        column[k] = k < p->depth ? x[k] : 0;
    for (int32_t c = 0; c < p->channels; c += 4) {
        int32_t count = p->channels - c < 4 ? p->channels - c : 4;
        const int8_t *rows = p->weights + c * p->length;
        int32_t sums[4];
        if (count == 4) {
            micro_dot_4_rows(rows, column, p->length, sums);
        } else {
            for (int32_t i = 0; i < count; i++)
                sums[i] = micro_dot(rows + i * p->length, column, p->length);
        }
        for (int32_t i = 0; i < count; i++) {
            const micro_channel *scale = p->scales + c + i;
            int32_t value = micro_scale_once(sums[i] + scale->bias, scale->multiplier, scale->exponent);
            y[c + i] = (int8_t)micro_clamp(value + p->output_zero, p->low, p->high);
        }
    }
}
