/* Inner products of int16 columns and int8 rows, four at a time. */
#ifndef MICRO_DOT_H
#define MICRO_DOT_H

#include <stdint.h>

/* sums[i] = sum over k of row[k] * columns[i * length + k]; i below 4. */
void micro_dot_4_columns(const int8_t *row, const int16_t *columns, int32_t length, int32_t *sums);

/* sums[i] = sum over k of rows[i * length + k] * column[k]; i below 4. */
void micro_dot_4_rows(const int8_t *rows, const int16_t *column, int32_t length, int32_t *sums);

/* The same for one row. */
int32_t micro_dot(const int8_t *row, const int16_t *column, int32_t length);

#endif
