#include "micro_extreme.h"

/* ``better``: whether the second value takes the place of the first. */
#define MICRO_REDUCE(name, type, better)                                                                               \
    void name(const micro_extreme *p, const type *x, type *y)                                                          \
    {                                                                                                                  \
        const int32_t *kept = p->kept, *step = p->kept_step, *size = p->reduced, *by = p->reduced_step;                \
        for (int32_t i = 0; i < kept[0]; i++)                                                                          \
            for (int32_t j = 0; j < kept[1]; j++)                                                                      \
                for (int32_t k = 0; k < kept[2]; k++) {                                                                \
                    const type *from = x + i * step[0] + j * step[1] + k * step[2];                                    \
                    type best = *from;                                                                                 \
                    for (int32_t a = 0; a < size[0]; a++)                                                              \
                        for (int32_t b = 0; b < size[1]; b++)                                                          \
                            for (int32_t c = 0; c < size[2]; c++) {                                                    \
                                const type value = from[a * by[0] + b * by[1] + c * by[2]];                            \
                                if (value better best)                                                                 \
                                    best = value;                                                                      \
                            }                                                                                          \
                    *y++ = best;                                                                                       \
                }                                                                                                      \
    }

MICRO_REDUCE(micro_reduce_max_s8_run, int8_t, >)
MICRO_REDUCE(micro_reduce_min_s8_run, int8_t, <)
MICRO_REDUCE(micro_reduce_max_f32_run, float, >)
MICRO_REDUCE(micro_reduce_min_f32_run, float, <)

#define MICRO_ARG(name, type, index, better)                                                                           \
    void name(const type *x, index *y, int32_t outer, int32_t count, int32_t inner)                                    \
    {                                                                                                                  \
        for (int32_t i = 0; i < outer; i++, x += count * inner)                                                        \
            for (int32_t j = 0; j < inner; j++) {                                                                      \
                int32_t best = 0;                                                                                      \
                for (int32_t k = 1; k < count; k++)                                                                    \
                    if (x[k * inner + j] better x[best * inner + j])                                                   \
                        best = k;                                                                                      \
                *y++ = best;                                                                                           \
            }                                                                                                          \
    }

MICRO_ARG(micro_arg_max_s8_run, int8_t, int32_t, >)
MICRO_ARG(micro_arg_min_s8_run, int8_t, int32_t, <)
MICRO_ARG(micro_arg_max_f32_run, float, int32_t, >)
MICRO_ARG(micro_arg_min_f32_run, float, int32_t, <)
MICRO_ARG(micro_arg_max_s8_wide_run, int8_t, int64_t, >)
MICRO_ARG(micro_arg_min_s8_wide_run, int8_t, int64_t, <)
MICRO_ARG(micro_arg_max_f32_wide_run, float, int64_t, >)
MICRO_ARG(micro_arg_min_f32_wide_run, float, int64_t, <)
