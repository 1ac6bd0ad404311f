#include "er_sc_dense.h"

enum { BLOCK = 4 };

static int32_t total(const int8_t *x, int32_t count)
{
    const int8_t *const end = x + count;
    int32_t sum = 0;

    while (x != end)
        sum += *x++;
    return sum;
}

void er_sc_dense_run(const er_sc_dense *p, const int8_t *x, int8_t *y, int32_t pixels)
{
    const int32_t block = BLOCK * p->length;

    for (; pixels > 0; pixels--, x += p->length, y += p->channels) {
        /* As 32 bits have it: sums by weights without their sign may be larger, what is left of them is not. */
        const uint32_t more = p->offset ? (uint32_t)p->offset * (uint32_t)total(x, p->length) : 0;
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < p->channels; c += BLOCK, w += block) {
            int32_t sums[BLOCK];
            er_sc_dot_pixel(w, x, p->length, sums);
            for (int32_t i = 0; i < BLOCK && c + i < p->channels; i++) {
                sums[i] = (int32_t)((uint32_t)sums[i] - more);
                p->scale(p->scales + c + i, &p->range, sums + i, 1, y + c + i, 0);
            }
        }
    }
}
