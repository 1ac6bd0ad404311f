/* Operators that work element by element, for Armv7E-M. */
#ifndef ER_ELEMENTWISE_H
#define ER_ELEMENTWISE_H

#include <stdint.h>

typedef struct er_add {
    int32_t a, b, constant;
} er_add;

/* y = ssat8((x0 * a + x1 * b + constant) >> 20); y may be x0 or x1. */
void er_add_s8(const er_add *add, const int8_t *x0, const int8_t *x1, int8_t *y, uint32_t count);

/* Tables of both sides by byte: of their sums the output is all but the lowest bits. */
typedef struct er_sum {
    const int32_t *x0, *x1;
} er_sum;

/* y = ssat8((x0's table[x0] + x1's table[x1]) >> shift), the shift in the function's name; y may be x0 or x1. */
typedef void er_sum_run(const er_sum *sum, const int8_t *x0, const int8_t *x1, int8_t *y, uint32_t count);

typedef struct er_product {
    int32_t zero0, zero1; /* the second doubled */
    int32_t multiplier, offset, shift;
} er_product;

/* t = (x0 - zero0) * (2 * x1 - zero1), y = ssat8((high32(t * multiplier + 2^31) + offset - (t < 0)) >> shift); y may be
   x0 or x1. */
void er_product_s8(const er_product *product, const int8_t *x0, const int8_t *x1, int8_t *y, uint32_t count);

/* Limits each byte, in place; low and high hold theirs four times. y begins at a whole word. */
void er_clamp_s8(int8_t *y, uint32_t count, uint32_t low, uint32_t high);

/* y = ssat8(round(x / scale) + zero_point), halves away from zero; Armv8 rounding (VCVTA). */
void er_quantize_s8(const float *x, int8_t *y, uint32_t count, int32_t zero_point, float scale);

#endif
