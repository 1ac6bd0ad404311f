#include "er_mve_depthwise.h"

#include "er_mve_copy.h"

static int32_t within(int32_t row, int32_t height)
{
    if (row < 0)
        return 0;
    return row < height ? row : height;
}

/* Rows of the input from `begin` on, which may lie outside of it; the padding at the sides is there already. */
static void copy_rows(const er_mve_depthwise *layer, const int8_t *x, int32_t begin, int32_t rows, int8_t *plane)
{
    int32_t first = within(begin, layer->height), end = within(begin + rows, layer->height);
    er_mve_block block = { end - first, layer->copied, layer->pitch, layer->line };

    if (first > begin)
        er_mve_fill(plane, layer->input_zero, (first - begin < rows ? first - begin : rows) * layer->pitch);
    if (end < begin + rows) {
        int32_t missing = begin + rows - (end > begin ? end : begin);

        er_mve_fill(plane + (rows - missing) * layer->pitch, layer->input_zero, missing * layer->pitch);
    }
    er_mve_copy(plane + (first - begin) * layer->pitch + layer->left, x + first * layer->line, &block);
}

void er_mve_depthwise_layer(const er_mve_depthwise *layer, const int8_t *x, int8_t *y, int8_t *plane)
{
    if (layer->copied != layer->pitch)
        er_mve_fill(plane, layer->input_zero, (layer->reach + (layer->band - 1) * layer->stride) * layer->pitch);
    for (int32_t row = layer->first; row >= 0 && row < layer->out_height; row += layer->on) {
        int32_t rows = layer->out_height - row < layer->band ? layer->out_height - row : layer->band;

        copy_rows(layer, x, row * layer->stride - layer->top, layer->reach + (rows - 1) * layer->stride, plane);
        layer->run(&layer->channels, plane, y + row * layer->out_line, rows);
    }
}
