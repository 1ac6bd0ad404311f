/* ADD and SUB of int8 by two tables of 256 numbers. */
#ifndef ER_SC_SUM_H
#define ER_SC_SUM_H

#include <stdint.h>

/* What each side adds to the output, by its byte, in parts of 2^shift. */
typedef struct er_sc_sum {
    const int32_t *first, *second;
    int32_t shift, low, high;
} er_sc_sum;

/* y may be a or b. */
void er_sc_sum_run(const er_sc_sum *p, const int8_t *a, const int8_t *b, int8_t *y, int32_t count);

#endif
