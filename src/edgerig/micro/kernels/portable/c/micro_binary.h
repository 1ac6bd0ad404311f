/* Operators on two values element by element, with broadcasting: what their functions have in common. */
#ifndef MICRO_BINARY_H
#define MICRO_BINARY_H

#include <stdint.h>

typedef struct micro_scale {
    int32_t multiplier, exponent;
} micro_scale;

typedef struct micro_binary_s8 {
    int32_t size[5];   /* of the output, padded with 1 in front */
    int32_t step_a[5]; /* elements from one to the next along an axis; 0 where broadcast */
    int32_t step_b[5];
    int32_t zero_a, zero_b, zero_y, low, high;
    micro_scale a, b, y; /* of MUL only y; of operators of one scale none */
} micro_binary_s8;

typedef struct micro_binary_f32 {
    int32_t size[5], step_a[5], step_b[5];
    float low, high;
} micro_binary_f32;

/* The head of an operator's function, to declare and to define it; y may be a or b if these are not broadcast. */
#define MICRO_BINARY_S8(name) void name(const micro_binary_s8 *p, const int8_t *a, const int8_t *b, int8_t *y)
#define MICRO_BINARY_F32(name) void name(const micro_binary_f32 *p, const float *a, const float *b, float *y)

#endif
