/* Functions of int16 and changes of its scale. */
#ifndef MICRO_CURVES_S16_H
#define MICRO_CURVES_S16_H

#include <stdint.h>

/* The input is brought to steps of 1/12288 by multiplier / 2^shift. table: the sigmoid of i / 24 in 1/65536, 256 entries.
 * y may be x. */
void micro_logistic_s16_run(const uint16_t *table, const int16_t *x, int16_t *y, int32_t count, int32_t multiplier,
                            int32_t shift);
void micro_tanh_s16_run(const uint16_t *table, const int16_t *x, int16_t *y, int32_t count, int32_t multiplier,
                        int32_t shift);

/* Another scale and zero point, within limits. */
typedef struct micro_rescale {
    int32_t count, zero_x, zero_y, multiplier, exponent, low, high;
} micro_rescale;

void micro_rescale_s16_s16(const micro_rescale *p, const int16_t *x, int16_t *y);
void micro_rescale_s16_s8(const micro_rescale *p, const int16_t *x, int8_t *y);
void micro_rescale_s8_s16(const micro_rescale *p, const int8_t *x, int16_t *y);

/* Values from 0 on by one scale, those below by another. y may be x. */
typedef struct micro_leaky_relu_s16 {
    int32_t count, multiplier, exponent, multiplier_below, exponent_below;
} micro_leaky_relu_s16;

void micro_leaky_relu_s16_run(const micro_leaky_relu_s16 *p, const int16_t *x, int16_t *y);

typedef struct micro_softmax_s16 {
    int32_t rows, depth;
    int32_t multiplier, exponent; /* to steps of 10 / 65535 */
    const int16_t *powers;        /* exp from -10 to 0, 513 entries */
    const int16_t *reciprocals;   /* 1 / (1 + x) from 0 to 1, 513 entries */
} micro_softmax_s16;

/* y may not be x. */
void micro_softmax_s16_run(const micro_softmax_s16 *p, const int16_t *x, int16_t *y);

#endif
