/* Sums, differences and products of int8 by Helium, with LiteRT's roundings; four elements at a time. */
#ifndef ER_MVE_BINARY_H
#define ER_MVE_BINARY_H

#include <stdint.h>

/* The assembly code knows the order. Shifts are negative: to the right. */
typedef struct er_mve_sides {
    int32_t zero0, multiplier0, zero1, multiplier1; /* both sides are shifted left by 20 bits before */
    int32_t multiplier, zero;                       /* of the output */
    int32_t shift0, shift1, shift;
    int32_t low, high;
} er_mve_sides;

typedef struct er_mve_factors {
    int32_t zero0, zero1;
    int32_t multiplier, zero, shift; /* of the output */
    int32_t low, high;
} er_mve_factors;

/* y may be x0 or x1. */
void er_mve_sum(const er_mve_sides *sides, const int8_t *x0, const int8_t *x1, int8_t *y, int32_t count);
void er_mve_difference(const er_mve_sides *sides, const int8_t *x0, const int8_t *x1, int8_t *y, int32_t count);
void er_mve_product(const er_mve_factors *factors, const int8_t *x0, const int8_t *x1, int8_t *y, int32_t count);

/* x1: a number for each channel of x0. y may be x0. */
void er_mve_product_channels(const er_mve_factors *factors, const int8_t *x0, const int8_t *x1, int8_t *y,
                             int32_t pixels, int32_t channels);

#endif
