/* Operators that work element by element, for Armv7E-M. */
#ifndef ER_ELEMENTWISE_H
#define ER_ELEMENTWISE_H

#include <stdint.h>

typedef struct er_add {
    int32_t a, b, constant;
} er_add;

/* y = ssat8((x0 * a + x1 * b + constant) >> 20); y may be x0 or x1. */
void er_add_s8(const er_add *add, const int8_t *x0, const int8_t *x1, int8_t *y, uint32_t count);

/* y = ssat8(round(x / scale) + zero_point), halves away from zero; Armv8 rounding (VCVTA). */
void er_quantize_s8(const float *x, int8_t *y, uint32_t count, int32_t zero_point, float scale);

#endif
