/* 3x3 convolution of int8 images with stride 1, two neighbouring pixels by two output channels in registers. */
#ifndef ER_BLOCK_H
#define ER_BLOCK_H

#include <stdint.h>

/* Packed by block.py: weights int16 256 * wa + wb, by pair of output channels, row of taps, four inputs in the order
   0 2 1 3, tap. A pair's numbers are
   start a, start b, multiplier a, constant a, multiplier b, constant b; without `shift` also the shifts, a + 256 * b.

   With shift: out = saturate((high32((start + 256 * sum) * multiplier) + constant) >> shift).
   Without: start a is 256 times, start b twice the bias; sums are scaled with two roundings and cut to low..high. */
typedef struct er_block {
    const int16_t *weights;
    const int32_t *channels;
    int32_t pixel_stride, row_stride; /* of the output, bytes */
    uint32_t rounds, first; /* of 16 steps of 2 inputs by 3 taps; steps in the first round */
    uint32_t pairs;
    uint32_t shift; /* 7 to 22, or 0 */
    int32_t low, high;
    uint32_t row_bytes; /* of a row of columns */
    uint32_t rows; /* of output in a tile; of pooled output for er_block_pool */
} er_block;

/* columns: rows + 2 (2 * rows + 2 for er_block_pool) rows of words with two int16 inputs, for each two inputs of the
   4 image columns that the tile covers. */
void er_block_2(const er_block *job, const uint32_t *columns, int8_t *out);

/* The same with a 2x2 maximum of the accumulators. */
void er_block_pool(const er_block *job, const uint32_t *columns, int8_t *out);

/* int8 to int16: words of 4 as (0, 2) and (1, 3), each to every fourth word. */
void er_block_widen(const int8_t *from, uint32_t *columns, uint32_t words);

#endif
