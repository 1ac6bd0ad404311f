/* Matrix times vector, int8, for Armv7E-M. */
#ifndef ER_DENSE_H
#define ER_DENSE_H

#include <stdint.h>

struct er_dense;
/* All blocks of a layer. */
typedef void er_dense_run(const struct er_dense *layer, const int16_t *wide, int8_t *out);

/* The assembly code knows the offsets of the first six. A block is four outputs, packed by dense.py as a stream: two
   start values, then for each eight inputs eight words of half-words 256 * wa + wb, then two start values. */
typedef struct er_dense {
    const int32_t *blocks;
    const int32_t *blocks_end;
    const int32_t *multipliers; /* of a block */
    uint32_t multipliers_step;  /* bytes to those of the next block; 0 if all are the same */
    int32_t addend;
    uint32_t steps; /* of eight inputs; at least 1 */
    uint32_t shift; /* that run knows */
    er_dense_run *run;
    const int8_t *single; /* weights of the outputs after the blocks, one by one, inputs padded to eight */
    const int32_t *single_starts;
    const int32_t *single_multipliers;
    uint32_t singles;
    uint32_t dropped; /* outputs of the last block that are none */
} er_dense;

/* wide: scratch, 16 bytes for each step. */
void er_dense_layer(const er_dense *layer, const int8_t *in, int8_t *out, int16_t *wide);

/* int8 to int16, eight at a time, each four in the order 0 2 1 3; reads up to 7 bytes too much. */
void er_dense_widen(const int8_t *in, int16_t *wide, uint32_t steps);

/* One sum of products. */
int32_t er_dense_sum(const int8_t *weights, const int16_t *wide, uint32_t steps);

#endif
