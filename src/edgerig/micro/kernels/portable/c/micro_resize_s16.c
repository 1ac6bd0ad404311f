#include "micro_resize_s16.h"

void micro_resize_s16_run(const micro_resize_s8 *p, const int16_t *x, int16_t *y)
{
    for (int32_t i = 0; i < p->out_height; i++) {
        micro_tap r = p->rows[i];
        const int16_t *above = x + r.lower * p->width * p->depth, *below = x + r.upper * p->width * p->depth;
        for (int32_t j = 0; j < p->out_width; j++, y += p->depth) {
            micro_tap c = p->columns[j];
            for (int32_t k = 0; k < p->depth; k++) {
                int64_t left =
                    above[c.lower * p->depth + k] * (1024 - r.weight) + below[c.lower * p->depth + k] * r.weight;
                int64_t right =
                    above[c.upper * p->depth + k] * (1024 - r.weight) + below[c.upper * p->depth + k] * r.weight;
                int64_t sum = left * (1024 - c.weight) + right * c.weight;
                y[k] = (int16_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
            }
        }
    }
}
