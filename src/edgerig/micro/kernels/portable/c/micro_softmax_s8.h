/* int8 softmax and its logarithm in gemmlowp's fixed point. */
#ifndef MICRO_SOFTMAX_S8_H
#define MICRO_SOFTMAX_S8_H

#include <stdint.h>

typedef struct micro_softmax_s8 {
    int32_t rows, depth;
    int32_t multiplier, shift;              /* of differences to the greatest value */
    int32_t least;                          /* smaller differences count as nothing */
    int32_t back_multiplier, back_exponent; /* from scaled differences back; of the logarithm only */
} micro_softmax_s8;

/* x and y may be the same */
void micro_softmax_s8_run(const micro_softmax_s8 *p, const int8_t *x, int8_t *y);
void micro_log_softmax_s8_run(const micro_softmax_s8 *p, const int8_t *x, int8_t *y);

#endif
