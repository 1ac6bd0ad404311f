/* Sums, differences and products of floats by Helium, four at a time. */
#ifndef ER_MVE_BINARY_F32_H
#define ER_MVE_BINARY_F32_H

#include "micro_binary.h"

/* Numbers that lie one behind the other. The assembly code knows the offsets. */
typedef struct er_mve_line {
    int32_t count;
    int32_t one; /* b is one number for all */
    int32_t limited;
    float low, high;
} er_mve_line;

typedef void er_mve_line_run(const er_mve_line *line, const float *a, const float *b, float *y);
er_mve_line_run er_mve_sum_f32, er_mve_difference_f32, er_mve_product_f32;

/* Along the last axis both lie one behind the other, or b is one number. */
void er_mve_binary_f32(const micro_binary_f32 *p, const er_mve_line *line, er_mve_line_run *run, const float *a,
                       const float *b, float *y);

#endif
