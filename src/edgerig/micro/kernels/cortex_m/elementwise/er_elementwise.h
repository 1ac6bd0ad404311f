/* Operators that work element by element, for Armv7E-M. */
#ifndef ER_ELEMENTWISE_H
#define ER_ELEMENTWISE_H

#include <stdint.h>

typedef struct er_add {
    int32_t a, b, constant;
} er_add;

/* y = ssat8((x0 * a + x1 * b + constant) >> 20); y may be x0 or x1. */
void er_add_s8(const er_add *add, const int8_t *x0, const int8_t *x1, int8_t *y, uint32_t count);

/* Tables of both sides by byte, scaled and doubled; the rounding of the last scaling and the zero point in offset. */
typedef struct er_sum {
    const int32_t *x0, *x1;
    int32_t multiplier, offset, shift;
} er_sum;

/* t = table0[x0] + table1[x1], y = ssat8((high32(t * multiplier + 2^31) + offset - (t < 0)) >> shift); y may be x0 or
   x1. */
void er_sum_s8(const er_sum *sum, const int8_t *x0, const int8_t *x1, int8_t *y, uint32_t count);

/* y = ssat8(round(x / scale) + zero_point), halves away from zero; Armv8 rounding (VCVTA). */
void er_quantize_s8(const float *x, int8_t *y, uint32_t count, int32_t zero_point, float scale);

#endif
