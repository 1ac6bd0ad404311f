#include "er_simd_pad.h"

#include <string.h>

typedef int64_t er_bytes __attribute__((vector_size(32)));

static void copy(const int8_t *from, int8_t *to, int64_t count, int flip)
{
    int64_t i = 0;
    er_bytes mask = (er_bytes){ 0 } + (int64_t)(0x0101010101010101u * (uint64_t)flip);
    for (; flip && i + (int64_t)sizeof mask <= count; i += (int64_t)sizeof mask) {
        er_bytes v;
        memcpy(&v, from + i, sizeof v);
        v ^= mask;
        memcpy(to + i, &v, sizeof v);
    }
    if (!flip)
        memcpy(to, from, (size_t)count);
    else
        for (; i < count; i++)
            to[i] = (int8_t)(from[i] ^ flip);
}

void er_simd_pad(const er_image *p, const int8_t *x, int8_t *to, int fill, int flip)
{
    int64_t row = (int64_t)p->columns * p->pixel, left = (int64_t)p->left * p->pixel,
            wide = (int64_t)p->width * p->pixel;
    /* Windows that are far apart may all lie in the border. */
    left = left < row ? left : row;
    int64_t inside = wide < row - left ? wide : row - left;
    if (left == 0 && p->top == 0 && wide == row && p->rows <= p->height) {
        copy(x, to, row * p->rows, flip);
        return;
    }
    for (int32_t i = 0; i < p->rows; i++, to += row) {
        int32_t y = i - p->top;
        if (y < 0 || y >= p->height) {
            memset(to, fill ^ flip, (size_t)row);
            continue;
        }
        memset(to, fill ^ flip, (size_t)left);
        copy(x + y * wide, to + left, inside, flip);
        memset(to + left + inside, fill ^ flip, (size_t)(row - left - inside));
    }
}
