/* Sums of a depthwise convolution's rows, in assembly of each processor. */
#ifndef ER_SC_ROWS_H
#define ER_SC_ROWS_H

#include <stdint.h>

/*
 * line: bytes from one row that a window sees to the next; gap: from one column to the next.
 * blocks: of four outputs, of six on Armv6-M. What the last block makes beyond the row's end comes of what lies behind
 *         the inputs, and the next row is written over it.
 * down: bytes from what a row of outputs sees to what the next one does; wide: bytes of a row of sums.
 */
typedef struct er_sc_row {
    int32_t line, blocks, height, width, gap, down, wide;
} er_sc_row;

/* Sums of one channel for rows of outputs, of one window's weights; of 3x3 without gaps, at stride 1 and 2. RISC-V makes
 * one row. */
typedef void er_sc_row_sums(const er_sc_row *row, const int8_t *x, const int8_t *weights, int32_t *sums, int32_t rows);

er_sc_row_sums er_sc_square_1, er_sc_square_2;
/* Any window at stride 1 and 2. */
er_sc_row_sums er_sc_any_1, er_sc_any_2;

/* Columns before and behind those of the image; bytes from one of its columns, and rows, to the next. */
typedef struct er_sc_copied {
    int32_t before, inside, after, step, line, zero;
} er_sc_copied;

/* Copies rows, one or more, of one channel; on Armv6-M as numbers from 0 to 255: int8 with 128 added, zero likewise. */
void er_sc_copy(const er_sc_copied *p, const int8_t *x, int8_t *to, int32_t rows);

#endif
