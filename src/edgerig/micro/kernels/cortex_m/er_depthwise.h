/* What generated depthwise functions are told about a band of rows. */
#ifndef ER_DEPTHWISE_H
#define ER_DEPTHWISE_H

#include <stdint.h>

typedef struct er_depthwise_band {
    int16_t *plane;    /* border and rows of one channel, int16; aligned to 4 bytes */
    int16_t *first;    /* the row of the plane that takes the first row of the input */
    uint32_t rows_in;  /* rows of the input */
    uint32_t steps;    /* output rows, or groups of three where a row is no whole number of tiles */
} er_depthwise_band;

#endif
