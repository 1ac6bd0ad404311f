/* int8 ADD, SUB and MUL with broadcasting. */
#ifndef MICRO_BINARY_S8_H
#define MICRO_BINARY_S8_H

#include <stdint.h>

typedef struct micro_scale {
    int32_t multiplier, exponent;
} micro_scale;

typedef struct micro_binary_s8 {
    int32_t size[5];     /* of the output, padded with 1 in front */
    int32_t step_a[5];   /* elements from one to the next along an axis; 0 where broadcast */
    int32_t step_b[5];
    int32_t zero_a, zero_b, zero_y, low, high;
    int32_t sign;        /* -1: a - b */
    micro_scale a, b, y; /* of MUL only y */
} micro_binary_s8;

/* y may be a or b if these are not broadcast */
void micro_add_s8_run(const micro_binary_s8 *p, const int8_t *a, const int8_t *b, int8_t *y);
void micro_mul_s8_run(const micro_binary_s8 *p, const int8_t *a, const int8_t *b, int8_t *y);

#endif
