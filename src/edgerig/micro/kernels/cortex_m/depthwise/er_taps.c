#include "er_taps.h"

#include <string.h>

static void pixel(const er_taps *layer, const int8_t *in, int8_t *out)
{
    uint32_t groups = layer->channels / 4, rest = layer->channels % 4;
    const uint32_t *stream = layer->stream;
    if (groups != 0)
        stream = er_taps_groups(stream, in, out, groups, layer->tap, layer->taps, layer->centre);
    if (rest != 0) {
        int8_t last[4];
        er_taps_groups(stream, in + 4 * groups, last, 1, layer->tap, layer->taps, layer->centre);
        memcpy(out + 4 * groups, last, rest);
    }
}

void er_taps_layer(const er_taps *layer, const int8_t *in, int8_t *out)
{
    for (uint32_t y = 0; y < layer->out_height; y++, in += layer->row) {
        const int8_t *from = in;
        for (uint32_t x = 0; x < layer->out_width; x++, from += layer->pixel, out += layer->channels)
            pixel(layer, from, out);
    }
}
