/* Depthwise 3x3 convolution of a band of rows, in assembly generated for a shape. */
#ifndef ER_DEPTHWISE_H
#define ER_DEPTHWISE_H

#include <stdint.h>

typedef struct er_depthwise_band {
    uint32_t *plane;       /* border and rows of one channel, int16; filled with the border's value */
    uint32_t *first;       /* the row of the plane that takes the first row of the input */
    uint32_t rows_in;      /* rows of the input */
    uint32_t steps;        /* output rows, or groups of three where a row is no whole number of tiles */
    int32_t addend;        /* of the requantization */
    const int8_t *weights; /* nine for each channel; parameters has a start value and a multiplier */
} er_depthwise_band;

typedef void er_depthwise_run(const int8_t *in, uint32_t *columns, const int32_t *parameters,
                              const er_depthwise_band *band);

#endif
