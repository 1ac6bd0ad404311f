/* Dot products of three pixels with pairs of output channels, int8, for Armv7E-M. */
#ifndef ER_PAIRS_H
#define ER_PAIRS_H

#include <stdint.h>

/* Packed by pairs.py. A pair's weights are int16 256 * wa + wb, four inputs in the order 0 2 1 3. A pair's numbers are
   start a, start b, multiplier a, constant a, multiplier b, constant b; without `shift` also the shifts, a + 256 * b.

   With shift: out = saturate((high32((start + 256 * sum) * multiplier) + constant) >> shift).
   Without: start a is 256 times, start b twice the bias; sums are scaled with two roundings and cut to low..high. */
typedef struct er_pairs {
    const int16_t *weights;
    const int32_t *channels;
    int32_t pixel_stride, channel_stride; /* of the output, bytes */
    uint32_t rounds, first; /* of 16 steps of 4 inputs; steps in the first round */
    uint32_t pairs;
    uint32_t shift; /* 7 to 22, or 0 */
    int32_t low, high;
} er_pairs;

/* columns: int16 of the inputs, two of pixel 0, two of pixel 1, two of pixel 2, and so on; out: the first of the
   three pixels. */
void er_pairs_3(const er_pairs *job, const uint32_t *columns, int8_t *out);

/* int8 to int16: words of 4 as (0, 2) and (1, 3), each to every third word of columns; returns where the next goes. */
uint32_t *er_pairs_widen(const int8_t *from, uint32_t *columns, uint32_t words);

#endif
