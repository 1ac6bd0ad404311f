/* int8 mean over some axes. */
#ifndef MICRO_MEAN_S8_H
#define MICRO_MEAN_S8_H

#include <stdint.h>

typedef struct micro_mean_s8 {
    int32_t kept[3], kept_step[3];     /* sizes and steps of the axes that stay, padded with 1 in front */
    int32_t summed[3], summed_step[3]; /* of those that are summed */
    int32_t count_zero;                /* elements summed times the input's zero point */
    int32_t multiplier, exponent, output_zero;
} micro_mean_s8;

void micro_mean_s8_run(const micro_mean_s8 *p, const int8_t *x, int8_t *y);

#endif
