/* Scaling of sums to int8: one multiplication in 64 bits for both of LiteRT's roundings where that is exact. */
#ifndef MICRO_SCALER_H
#define MICRO_SCALER_H

#include "micro_requantize.h"

/*
 * How the sums of a layer are scaled; channels whose exponent is another one are done as by MICRO_ANY:
 * MICRO_ANY: as `micro_scale_twice` or `micro_scale_once` does;
 * MICRO_DOUBLED: twice, exponents from -22 to -1; all sums, bias included, have less than 30 bits;
 * MICRO_JOINED: exponents from -31 to -2; once, or twice where all sums below 0 make the least output;
 * MICRO_WHOLE: as MICRO_JOINED, and all of int8 is allowed.
 */
enum { MICRO_ANY, MICRO_DOUBLED, MICRO_JOINED, MICRO_WHOLE };

/* A layer's scaling. */
typedef struct micro_scaling {
    int32_t kind;                   /* one of the above */
    int32_t first;                  /* what the first of two roundings adds to the product; 0: there is one */
    int32_t output_zero, low, high; /* of the outputs */
} micro_scaling;

/*
 * Scales count sums, 1 to 4, of each of some channels. Those of a channel lie side by side, apart from those of the
 * next one by `apart`; outputs of a channel are step apart, and those of the next one lie beside them.
 */
void micro_scale_sums(const micro_scaling *s, const micro_channel *channel, int32_t channels, const int32_t *sums,
                      int32_t apart, int32_t count, int8_t *y, int32_t step);

#endif
