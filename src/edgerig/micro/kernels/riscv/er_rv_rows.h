#ifndef ER_RV_ROWS_H
#define ER_RV_ROWS_H

#include <stdint.h>

/*
 * line: bytes from one row that a window sees to the next; gap: from one column to the next.
 * blocks: of four outputs. What the last block makes beyond the row's end comes of what lies behind the inputs.
 */
typedef struct er_rv_row {
    int32_t line, blocks, height, width, gap;
} er_rv_row;

/* Sums of one channel for a row of outputs, of one window's weights; of 3x3 without gaps, at stride 1 and 2. */
typedef void er_rv_row_sums(const er_rv_row *row, const int8_t *x, const int8_t *weights, int32_t *sums);

er_rv_row_sums er_rv_square_1, er_rv_square_2;
/* Any window at stride 1 and 2. */
er_rv_row_sums er_rv_any_1, er_rv_any_2;

#endif
