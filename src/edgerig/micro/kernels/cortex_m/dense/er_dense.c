#include "er_dense.h"

#include <string.h>

static int8_t scaled(int32_t sum, int32_t start, int32_t multiplier, const er_dense *layer)
{
    int64_t product = (int64_t)(start + 256 * sum) * multiplier;
    int32_t value = ((int32_t)(product >> 32) + layer->addend) >> layer->shift;
    return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

void er_dense_layer(const er_dense *layer, const int8_t *in, int8_t *out, int16_t *wide)
{
    er_dense_widen(in, wide, layer->steps);
    if (layer->blocks != layer->blocks_end && layer->dropped == 0) {
        layer->run(layer, wide, out);
    } else if (layer->blocks != layer->blocks_end) {
        er_dense part = *layer;
        int8_t last[4];
        uint32_t words = 4 + 8 * layer->steps;
        part.blocks_end -= words;
        uint32_t blocks = (uint32_t)(part.blocks_end - part.blocks) / words;
        if (blocks != 0)
            layer->run(&part, wide, out);
        part.blocks = part.blocks_end;
        part.blocks_end += words;
        part.multipliers += blocks * (layer->multipliers_step / 4);
        layer->run(&part, wide, last);
        memcpy(out + 4 * blocks, last, 4 - layer->dropped);
    }
    if (layer->singles != 0) {
        uint32_t words = 4 + 8 * layer->steps;
        int8_t *to = out + 4 * ((uint32_t)(layer->blocks_end - layer->blocks) / words);
        for (uint32_t i = 0; i < layer->singles; i++) {
            int32_t sum = er_dense_sum(layer->single + i * 8 * layer->steps, wide, layer->steps);
            to[i] = scaled(sum, layer->single_starts[i], layer->single_multipliers[i], layer);
        }
    }
}
