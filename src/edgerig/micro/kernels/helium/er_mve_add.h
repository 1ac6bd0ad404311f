/* int8 sums of two tensors by Helium: (a * x0 + b * x1 + constant) >> 20, clamped to int8. */
#ifndef ER_MVE_ADD_H
#define ER_MVE_ADD_H

#include <stdint.h>

typedef struct er_mve_add_factors {
    int32_t a, b, constant;
} er_mve_add_factors;

/* y may be x0 or x1. */
void er_mve_add(const er_mve_add_factors *factors, const int8_t *x0, const int8_t *x1, int8_t *y, int32_t count);

#endif
