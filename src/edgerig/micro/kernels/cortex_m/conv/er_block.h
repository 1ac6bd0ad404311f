/* 3x3 convolution of int8 images with stride 1, two neighbouring pixels by two output channels in registers. */
#ifndef ER_BLOCK_H
#define ER_BLOCK_H

#include <stdint.h>

/* Made by conv_block.py. The stream holds for each pair of output channels: start of a; weights, int16 256 * wa + wb,
   by row of taps, four inputs in the order 0 2 1 3, tap; start of b, multipliers of both; without `shift` also what
   er_pairs.h says.

   With shift: out = saturate((high32((start + 256 * sum) * multiplier) + addend) >> shift).
   Without: start a is 256 times, start b twice the bias, addend 2 * zero point + 1; sums are scaled with two roundings
   and clamped to low..high.

   The assembly code knows the offsets of these. */
typedef struct er_block {
    const int32_t *weights, *end;
    int32_t pixel_stride, row_stride; /* of the output, bytes */
    uint32_t rounds, first; /* of 8 steps of 2 inputs by 3 taps, behind the first step; steps in the first round */
    int32_t addend;
    uint32_t shift; /* or 0 */
    int32_t low, high;
    uint32_t row_bytes; /* of a row of columns */
    uint32_t rows;      /* of columns in a tile, but for two */
} er_block;

/* columns: rows + 2 rows of words with two int16 inputs, for each two inputs of the 4 image columns that the tile
   covers. */
typedef void er_block_run(const er_block *job, const uint32_t *columns, int8_t *out);
er_block_run er_block_2;
/* The same with a 2x2 maximum of the accumulators; rows is even. */
er_block_run er_block_pool;

/* Four image columns, int8 to int16: words of 4 as (0, 2) and (1, 3) of all columns. */
void er_block_fill(const int8_t *const from[4], uint32_t *columns, uint32_t words);

#endif
