/* Bytes moved and filled by Helium, any number from any address. */
#ifndef ER_MVE_COPY_H
#define ER_MVE_COPY_H

#include <stdint.h>

typedef struct er_mve_block {
    int32_t rows, bytes; /* of a row */
    int32_t to_pitch, from_pitch;
} er_mve_block;

/* Rows may be 0. */
void er_mve_copy(int8_t *to, const int8_t *from, const er_mve_block *block);

/* One or more blocks, step bytes apart, to one behind the other: to_pitch is the bytes of a row. */
void er_mve_copy_windows(int8_t *to, const int8_t *from, const er_mve_block *block, int32_t count, int32_t step);

void er_mve_fill(int8_t *to, int32_t value, int32_t bytes);

#endif
