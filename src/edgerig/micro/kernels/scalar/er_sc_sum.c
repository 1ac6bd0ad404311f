#include "er_sc_sum.h"

void er_sc_sum_run(const er_sc_sum *p, const int8_t *a, const int8_t *b, int8_t *y, int32_t count)
{
    const uint8_t *one = (const uint8_t *)a, *other = (const uint8_t *)b;
    const int32_t *const first = p->first, *const second = p->second;
    const int32_t shift = p->shift, low = p->low, high = p->high;

    for (int8_t *const end = y + count; y != end; y++) {
        int32_t value = (first[*one++] + second[*other++]) >> shift;
        value = value < low ? low : value;
        *y = (int8_t)(value > high ? high : value);
    }
}
