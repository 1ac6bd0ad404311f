/* Data that only moves, and functions of one byte by table. */
#ifndef MICRO_MOVE_H
#define MICRO_MOVE_H

#include <stdint.h>

#define MICRO_MOVE_AXES 6

typedef struct micro_move {
    int32_t size[MICRO_MOVE_AXES]; /* the last axis first merged as far as it goes; padded with 1 in front */
    int32_t from[MICRO_MOVE_AXES]; /* bytes from one to the next along an axis */
    int32_t to[MICRO_MOVE_AXES];
    int32_t unit; /* bytes moved at once */
} micro_move;

void micro_move_run(const micro_move *p, const void *x, void *y);

/* y[i] = table[x[i]], bytes as 0 to 255; y may be x */
void micro_table_run(const uint8_t *table, const uint8_t *x, uint8_t *y, int32_t count);

void micro_fill_f32(float *y, float value, int32_t count);

/* Shift y by count bytes towards its beginning, and put x behind. */
void micro_push_run(uint8_t *y, int32_t size, const uint8_t *x, int32_t count);

/* Rows and columns of an image picked by index; unit: bytes of a pixel */
void micro_pick_run(const uint16_t *rows, const uint16_t *columns, int32_t height, int32_t width, int32_t row_bytes,
                    int32_t unit, const void *x, void *y);

/* Elements of `unit` bytes picked by index, from each of `rows` that are `row_bytes` long */
void micro_gather_run(const uint16_t *indices, int32_t count, int32_t rows, int32_t row_bytes, int32_t unit,
                      const void *x, void *y);

/* The same by `count` indices of each batch, of rows of `length` elements; an index out of bounds is the nearest one. */
void micro_gather_by_run(const int32_t *indices, int32_t batches, int32_t rows, int32_t length, int32_t count,
                         int32_t unit, const void *x, void *y);

#endif
