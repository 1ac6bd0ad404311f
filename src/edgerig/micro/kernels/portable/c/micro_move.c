#include "micro_move.h"

#if defined(__GNUC__)
/* Words of whatever they are made of. Where memcpy is a real call, as in freestanding code, it is too slow for these. */
typedef uint32_t __attribute__((may_alias)) word;

static int aligned(const void *to, const void *from)
{
    return (((uintptr_t)to | (uintptr_t)from) & 3u) == 0;
}
#endif

/* From the first byte on, so that `to` may lie in front of `from` and both overlap. */
static void copy(uint8_t *to, const uint8_t *from, int32_t size)
{
#if defined(__GNUC__)
    if (aligned(to, from)) {
        word *t = (word *)(void *)to;
        const word *f = (const word *)(const void *)from;
        for (; size >= 16; size -= 16, t += 4, f += 4) {
            word a = f[0], b = f[1], c = f[2], d = f[3];
            t[0] = a;
            t[1] = b;
            t[2] = c;
            t[3] = d;
        }
        for (; size >= 4; size -= 4)
            *t++ = *f++;
        to = (uint8_t *)t;
        from = (const uint8_t *)f;
    }
#endif
    for (; size > 0; size--)
        *to++ = *from++;
}

void micro_move_run(const micro_move *p, const void *x, void *y)
{
    const int32_t *n = p->size;
    int32_t at[MICRO_MOVE_AXES] = { 0 };
    const uint8_t *from = x;
    uint8_t *to = y;
    for (;;) {
        for (int32_t i = 0; i < n[MICRO_MOVE_AXES - 1]; i++)
            copy(to + i * p->to[MICRO_MOVE_AXES - 1], from + i * p->from[MICRO_MOVE_AXES - 1], p->unit);
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

void micro_push_run(uint8_t *y, int32_t size, const uint8_t *x, int32_t count)
{
    copy(y, y + count, size - count);
    copy(y + size - count, x, count);
}

void micro_pick_run(const uint16_t *rows, const uint16_t *columns, int32_t height, int32_t width, int32_t row_bytes,
                    int32_t unit, const void *x, void *y)
{
    uint8_t *to = y;
    for (int32_t i = 0; i < height; i++) {
        const uint8_t *row = (const uint8_t *)x + rows[i] * row_bytes;
        for (int32_t j = 0; j < width; j++, to += unit)
            copy(to, row + columns[j] * unit, unit);
    }
}

void micro_gather_run(const uint16_t *indices, int32_t count, int32_t rows, int32_t row_bytes, int32_t unit,
                      const void *x, void *y)
{
    const uint8_t *row = x;
    uint8_t *to = y;
    for (int32_t i = 0; i < rows; i++, row += row_bytes)
        for (int32_t j = 0; j < count; j++, to += unit)
            copy(to, row + indices[j] * unit, unit);
}

void micro_gather_by_run(const int32_t *indices, int32_t batches, int32_t rows, int32_t length, int32_t count,
                         int32_t unit, const void *x, void *y)
{
    const uint8_t *row = x;
    uint8_t *to = y;
    for (int32_t batch = 0; batch < batches; batch++, indices += count)
        for (int32_t i = 0; i < rows; i++, row += length * unit)
            for (int32_t j = 0; j < count; j++, to += unit) {
                int32_t index = indices[j] < 0 ? 0 : indices[j] < length ? indices[j] : length - 1;
                copy(to, row + index * unit, unit);
            }
}
