/* float ADD, SUB and MUL with broadcasting; y may be a or b if these are not broadcast. */
#ifndef MICRO_BINARY_F32_H
#define MICRO_BINARY_F32_H

#include <stdint.h>

typedef struct micro_binary_f32 {
    int32_t size[5];   /* of the output, padded with 1 in front */
    int32_t step_a[5]; /* elements from one to the next along an axis; 0 where broadcast */
    int32_t step_b[5];
    float low, high;
} micro_binary_f32;

void micro_add_f32_run(const micro_binary_f32 *p, const float *a, const float *b, float *y);
void micro_sub_f32_run(const micro_binary_f32 *p, const float *a, const float *b, float *y);
void micro_mul_f32_run(const micro_binary_f32 *p, const float *a, const float *b, float *y);

#endif
