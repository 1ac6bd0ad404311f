#include "er_dense_rows.h"

#include <string.h>

#include "er_dense.h"
#include "er_scaled.h"

static void outputs(const er_dense_rows *layer, const int16_t *wide, int8_t *out)
{
    const int8_t *weights = layer->weights;
    for (uint32_t i = 0; i < layer->outputs; i++, weights += 8 * layer->steps) {
        const int32_t sum = er_dense_sum(weights, wide, layer->steps) + layer->bias[i];
        const int32_t value = layer->once ? er_scaled_once(sum, layer->multipliers[i], layer->exponents[i])
                                          : er_scaled_twice(sum, layer->multipliers[i], layer->exponents[i]);
        out[i] = er_limited(value + layer->zero_point, layer->low, layer->high);
    }
}

void er_dense_rows_layer(const er_dense_rows *layer, const int8_t *in, int8_t *out, int16_t *wide)
{
    int8_t *const padded = (int8_t *)(wide + 8 * layer->steps);
    for (uint32_t row = 0; row < layer->rows; row++, in += layer->inputs, out += layer->outputs) {
        const int8_t *from = in;
        if (layer->inputs % 8 != 0) {
            /* A row's last word would reach into the next one, and of the last row beyond it. */
            memcpy(padded, in, layer->inputs);
            from = padded;
        }
        er_dense_widen(from, wide, layer->steps);
        outputs(layer, wide, out);
    }
}
