/* float functions element by element, softmax, means; y may be x. */
#ifndef MICRO_CURVES_F32_H
#define MICRO_CURVES_F32_H

#include <stdint.h>

void micro_clamp_f32(const float *x, float *y, int32_t count, float low, float high);
void micro_logistic_f32(const float *x, float *y, int32_t count);
void micro_tanh_f32(const float *x, float *y, int32_t count);
void micro_hard_swish_f32(const float *x, float *y, int32_t count);
void micro_exp_f32(const float *x, float *y, int32_t count);
void micro_log_f32(const float *x, float *y, int32_t count);
void micro_gelu_f32(const float *x, float *y, int32_t count);
void micro_gelu_tanh_f32(const float *x, float *y, int32_t count);
void micro_softmax_f32(const float *x, float *y, int32_t rows, int32_t depth, float beta);
void micro_log_softmax_f32(const float *x, float *y, int32_t rows, int32_t depth);

typedef struct micro_mean_f32 {
    int32_t kept[3], kept_step[3];
    int32_t summed[3], summed_step[3];
} micro_mean_f32;

void micro_mean_f32_run(const micro_mean_f32 *p, const float *x, float *y);

#endif
