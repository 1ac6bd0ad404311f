/* Greatest and least values along axes, and where they stand. */
#ifndef MICRO_EXTREME_H
#define MICRO_EXTREME_H

#include <stdint.h>

typedef struct micro_extreme {
    int32_t kept[3], kept_step[3];       /* sizes and steps of the axes that stay, padded with 1 in front */
    int32_t reduced[3], reduced_step[3]; /* of those out of which one value is taken */
} micro_extreme;

void micro_reduce_max_s8_run(const micro_extreme *p, const int8_t *x, int8_t *y);
void micro_reduce_min_s8_run(const micro_extreme *p, const int8_t *x, int8_t *y);
void micro_reduce_max_f32_run(const micro_extreme *p, const float *x, float *y);
void micro_reduce_min_f32_run(const micro_extreme *p, const float *x, float *y);

/* x: outer times count times inner; y: outer times inner, the first index along count. */
void micro_arg_max_s8_run(const int8_t *x, int32_t *y, int32_t outer, int32_t count, int32_t inner);
void micro_arg_min_s8_run(const int8_t *x, int32_t *y, int32_t outer, int32_t count, int32_t inner);
void micro_arg_max_f32_run(const float *x, int32_t *y, int32_t outer, int32_t count, int32_t inner);
void micro_arg_min_f32_run(const float *x, int32_t *y, int32_t outer, int32_t count, int32_t inner);
void micro_arg_max_s8_wide_run(const int8_t *x, int64_t *y, int32_t outer, int32_t count, int32_t inner);
void micro_arg_min_s8_wide_run(const int8_t *x, int64_t *y, int32_t outer, int32_t count, int32_t inner);
void micro_arg_max_f32_wide_run(const float *x, int64_t *y, int32_t outer, int32_t count, int32_t inner);
void micro_arg_min_f32_wide_run(const float *x, int64_t *y, int32_t outer, int32_t count, int32_t inner);

#endif
