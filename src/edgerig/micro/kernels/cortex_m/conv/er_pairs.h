/* What the columns of three pixels are made with, and pairs of channels that are scaled with two roundings. */
#ifndef ER_PAIRS_H
#define ER_PAIRS_H

#include <stdint.h>

#include "er_pointwise.h"

/* The stream holds for each pair of channels: 256 * bias a; weights; 2 * bias b, multipliers of both, shift of a less
   1 + 256 * (shift of b less 1). */
typedef struct er_pairs {
    er_pointwise job; /* rounds of 4 steps; the addend is 2 * zero point + 1 */
    int32_t low, high;
} er_pairs;

/* An er_pointwise_run for the job of an er_pairs. */
void er_pairs_full(const er_pointwise *job, const uint32_t *columns, int8_t *out, uint32_t tiles);

/* int8 to int16: words of 4 as (0, 2) and (1, 3), each to every third word of columns; returns where the next goes. */
uint32_t *er_pairs_widen(const int8_t *from, uint32_t *columns, uint32_t words);

/* Copies bytes; fast where both addresses are whole words. */
void er_pairs_copy(int8_t *to, const int8_t *from, uint32_t count);

#endif
