#include "micro_move.h"

#include <string.h>

void micro_move_run(const micro_move *p, const void *x, void *y)
{
    const int32_t *n = p->size;
    int32_t at[MICRO_MOVE_AXES] = { 0 };
    const uint8_t *from = x;
    uint8_t *to = y;
    for (;;) {
        for (int32_t i = 0; i < n[MICRO_MOVE_AXES - 1]; i++)
            memcpy(to + i * p->to[MICRO_MOVE_AXES - 1], from + i * p->from[MICRO_MOVE_AXES - 1], (size_t)p->unit);
        int32_t axis = MICRO_MOVE_AXES - 2;
        while (axis >= 0 && ++at[axis] == n[axis]) {
            from -= (n[axis] - 1) * p->from[axis];
            to -= (n[axis] - 1) * p->to[axis];
            at[axis--] = 0;
        }
        if (axis < 0)
            return;
        from += p->from[axis];
        to += p->to[axis];
    }
}

void micro_table_run(const uint8_t *table, const uint8_t *x, uint8_t *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = table[x[i]];
}

void micro_fill_f32(float *y, float value, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = value;
}

void micro_pick_run(const uint16_t *rows, const uint16_t *columns, int32_t height, int32_t width, int32_t row_bytes,
                    int32_t unit, const void *x, void *y)
{
    uint8_t *to = y;
    for (int32_t i = 0; i < height; i++) {
        const uint8_t *row = (const uint8_t *)x + rows[i] * row_bytes;
        for (int32_t j = 0; j < width; j++, to += unit)
            memcpy(to, row + columns[j] * unit, (size_t)unit);
    }
}
