#ifndef ER_RV_SUMS_H
#define ER_RV_SUMS_H

#include <stdint.h>

/* Of four pixels, four channels each. */
typedef struct er_rv_block {
    int32_t at[4][4];
} er_rv_block;

/* Weights: of each input those of four channels together. The inputs of pixel i begin at x + i * length. */
void er_rv_sums(const int8_t *weights, const int8_t *x, int32_t length, er_rv_block *sums);
/* One pixel. */
void er_rv_sums_pixel(const int8_t *weights, const int8_t *x, int32_t length, int32_t sums[4]);

#endif
