/* Products of matrices, one after the other. */
#ifndef MICRO_MATMUL_H
#define MICRO_MATMUL_H

#include <stdint.h>

typedef struct micro_matmul {
    int32_t count, rows, columns, depth;
    int32_t a_next, a_row, a_depth;    /* elements from one matrix, row, column of a to the next; 0 where repeated */
    int32_t b_next, b_depth, b_column; /* likewise of b */
    int32_t a_zero, b_zero, y_zero, multiplier, exponent; /* of int8 */
} micro_matmul;

void micro_matmul_s8_run(const micro_matmul *p, const int8_t *a, const int8_t *b, int8_t *y);
/* Zero points are 0; multiplier / 2^exponent scales sums of 64 bits. */
void micro_matmul_s16_run(const micro_matmul *p, const int16_t *a, const int16_t *b, int16_t *y);
void micro_matmul_f32_run(const micro_matmul *p, const float *a, const float *b, float *y);

#endif
