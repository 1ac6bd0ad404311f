#include "er_separable.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The last tile where its third or second pixel is none: by way of tail. */
static void last_tile(const er_separable *layer, const uint32_t *columns, int8_t *out, uint32_t pixels, int8_t *tail)
{
    er_pairs pairs = layer->pairs;
    pairs.job.channel_stride = 4;
    pairs.job.pixel_stride = 1;
    layer->pointwise(&pairs.job, columns, tail, 1);
    for (uint32_t channel = 0; channel < layer->channels; channel++)
        for (uint32_t pixel = 0; pixel < pixels; pixel++)
            out[(int32_t)channel * layer->pairs.job.channel_stride + (int32_t)pixel * layer->pairs.job.pixel_stride] =
                tail[4 * channel + pixel];
}

static __attribute__((noinline)) void band(const er_separable *layer, uint32_t row, const int8_t *in, uint32_t *columns,
                                           uint32_t *plane)
{
    uint32_t rows = smaller(layer->band, layer->out_height - row);
    uint32_t steps = (rows + layer->step - 1) / layer->step;
    uint32_t start = row * layer->stride;
    uint32_t above = start < layer->top ? layer->top - start : 0;
    uint32_t first = start + above - layer->top;
    uint32_t rows_in = smaller(layer->height - first, (rows - 1) * layer->stride + layer->window - above);
    er_depthwise_band job = { plane, plane + above * layer->pitch / 4, rows_in, steps, layer->addend, layer->weights };
    /* Within the image its rows are replaced by those of the next band, and the border beside them stays. */
    if (row == layer->first || above != 0 || above + rows_in < (rows - 1) * layer->stride + layer->window)
        for (uint32_t i = 0; i < layer->plane_words; i++)
            plane[i] = layer->border;
    layer->depthwise(in + first * layer->row, columns, layer->parameters, &job);
    if (layer->clamp)
        layer->clamp(columns, (steps * layer->step * layer->out_width + 2) / 3 * (layer->pairs.job.tile / 4),
                     layer->low, layer->high);
}

static void outputs(const er_separable *layer, uint32_t row, const uint32_t *columns, int8_t *out, int8_t *tail)
{
    uint32_t pixels = smaller(layer->band, layer->out_height - row) * layer->out_width;
    uint32_t tiles = pixels / 3, rest = pixels % 3;
    const int alone = rest == 1 && layer->single != 0;
    if (!alone && rest != 0 && 3 - rest <= layer->room) {
        tiles++;
        rest = 0;
    }
    int8_t *to = out + (int32_t)(row * layer->out_width) * layer->pairs.job.pixel_stride;
    if (tiles != 0)
        layer->pointwise(&layer->pairs.job, columns, to, tiles);
    if (rest == 0)
        return;
    columns += tiles * (layer->pairs.job.tile / 4);
    to += (int32_t)(3 * tiles) * layer->pairs.job.pixel_stride;
    if (alone)
        layer->single(&layer->pairs.job, columns, to, 1);
    else
        last_tile(layer, columns, to, rest, tail);
}

void er_separable_layer(const er_separable *layer, const int8_t *in, int8_t *out, uint32_t *columns, uint32_t *plane,
                        int8_t *tail)
{
    uint32_t *now = columns, *then = columns + layer->other;
    band(layer, layer->first, in, now, plane);
    /* From the last band up the next row wraps around behind the first one, beyond the height, too. */
    for (uint32_t row = layer->first; row < layer->out_height; row += layer->on) {
        uint32_t next = row + layer->on;
        if (layer->other != 0 && next < layer->out_height)
            band(layer, next, in, then, plane);
        outputs(layer, row, now, out, tail);
        if (layer->other == 0 && next < layer->out_height)
            band(layer, next, in, now, plane);
        uint32_t *swap = now;
        now = then;
        then = swap;
    }
}

void er_columns_store(const er_pointwise *job, const uint32_t *columns, int8_t *out, uint32_t tiles)
{
    for (; tiles != 0; tiles--, columns += job->tile / 4, out += 3 * job->pixel_stride) {
        int8_t *to = out;
        for (uint32_t channel = 0; channel < job->rounds; channel++, to += job->channel_stride) {
            const uint32_t *from = columns + channel / 4 * 6 + channel % 2 * 3;
            uint32_t shift = channel % 4 / 2 * 16;
            to[0] = (int8_t)(uint8_t)(from[0] >> shift);
            to[job->pixel_stride] = (int8_t)(uint8_t)(from[1] >> shift);
            to[2 * job->pixel_stride] = (int8_t)(uint8_t)(from[2] >> shift);
        }
    }
}
