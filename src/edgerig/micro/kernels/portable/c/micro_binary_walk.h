/* The walk over both inputs of an operator on two values, for the file of each such operator. */
#ifndef MICRO_BINARY_WALK_H
#define MICRO_BINARY_WALK_H

#include "micro_binary.h"
#include "micro_requantize.h"

static inline int32_t micro_scaled(micro_scale scale, int32_t x)
{
    return micro_scale_twice(x, scale.multiplier, scale.exponent);
}

typedef int8_t (*micro_operation_s8)(const micro_binary_s8 *p, int8_t a, int8_t b);
typedef float (*micro_operation_f32)(float a, float b);

static inline void micro_walk_s8(const micro_binary_s8 *p, const int8_t *a, const int8_t *b, int8_t *y,
                                 micro_operation_s8 operation)
{
    const int32_t *n = p->size, *s = p->step_a, *t = p->step_b;
    for (int32_t h = 0; h < n[0]; h++) {
        for (int32_t i = 0; i < n[1]; i++) {
            for (int32_t j = 0; j < n[2]; j++) {
                for (int32_t k = 0; k < n[3]; k++) {
                    const int8_t *from_a = a + h * s[0] + i * s[1] + j * s[2] + k * s[3];
                    const int8_t *from_b = b + h * t[0] + i * t[1] + j * t[2] + k * t[3];
                    for (int32_t m = 0; m < n[4]; m++)
                        *y++ = operation(p, from_a[m * s[4]], from_b[m * t[4]]);
                }
            }
        }
    }
}

static inline void micro_walk_f32(const micro_binary_f32 *p, const float *a, const float *b, float *y,
                                  micro_operation_f32 operation)
{
    const int32_t *n = p->size, *s = p->step_a, *t = p->step_b;
    for (int32_t h = 0; h < n[0]; h++) {
        for (int32_t i = 0; i < n[1]; i++) {
            for (int32_t j = 0; j < n[2]; j++) {
                for (int32_t k = 0; k < n[3]; k++) {
                    const float *from_a = a + h * s[0] + i * s[1] + j * s[2] + k * s[3];
                    const float *from_b = b + h * t[0] + i * t[1] + j * t[2] + k * t[3];
                    for (int32_t m = 0; m < n[4]; m++) {
                        float value = operation(from_a[m * s[4]], from_b[m * t[4]]);
                        *y++ = value < p->low ? p->low : value > p->high ? p->high : value;
                    }
                }
            }
        }
    }
}

#endif
