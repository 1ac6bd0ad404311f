/* Dense layers of any scale, output by output. */
#ifndef ER_DENSE_ROWS_H
#define ER_DENSE_ROWS_H

#include <stdint.h>

typedef struct er_dense_rows {
    const int8_t *weights; /* of each output a row of steps times 8 */
    const int32_t *bias, *multipliers, *exponents;
    uint32_t rows, inputs, outputs, steps;
    int32_t once; /* roundings: one, or two */
    int32_t zero_point, low, high;
} er_dense_rows;

/* in: rows of inputs; wide: steps times 8, and as many bytes behind it where inputs are no multiple of 8. */
void er_dense_rows_layer(const er_dense_rows *layer, const int8_t *in, int8_t *out, int16_t *wide);

#endif
