/* Convolutions as tiles of some pixels by some blocks of channels, for one type of numbers: what files that define
 *
 *   er_tiled    the convolution's struct, with its image, strides, pixels and channels
 *   er_number   the type of inputs and outputs
 *
 * include, and define `tile` for. */
#ifndef ER_SIMD_TILES_H
#define ER_SIMD_TILES_H

#include "er_simd.h"

/* Pixels and blocks that are computed together: as many sums as there are registers for. */
#if defined(ER_AVX512)
#define PIXELS 8
#define BLOCKS 2
#elif defined(__AVX2__) || defined(__ARM_NEON)
#define PIXELS 4
#define BLOCKS 1
#else
#define PIXELS 2
#define BLOCKS 1
#endif
/* Blocks of one pixel. */
#define LONE 4

/* So many pixels from `pixel` on, of so many blocks from `block` on. */
ER_INLINE void tile(const er_tiled *p, int pixels, int blocks, int32_t pixel, int32_t block, const er_number *padded,
                    er_number *y);

/* The first number that the window of an output sees. */
static const er_number *seen(const er_tiled *p, const er_number *padded, int32_t pixel)
{
    int32_t row = pixel / p->out_width * p->stride_y, column = pixel % p->out_width * p->stride_x;
    int32_t depth = p->image.pixel / (int32_t)sizeof(er_number);
    return padded + ((int64_t)row * p->image.columns + column) * depth;
}

/* All pixels of some blocks. */
ER_INLINE void column(const er_tiled *p, int blocks, int32_t block, const er_number *padded, er_number *y)
{
    int32_t pixel = 0;
    for (; pixel + PIXELS <= p->pixels; pixel += PIXELS)
        tile(p, PIXELS, blocks, pixel, block, padded, y);
    for (; PIXELS > 4 && pixel + 4 <= p->pixels; pixel += 4)
        tile(p, 4, blocks, pixel, block, padded, y);
    for (; pixel < p->pixels; pixel++)
        tile(p, 1, blocks, pixel, block, padded, y);
}

/* All of the output. */
ER_INLINE void tiles(const er_tiled *p, const er_number *padded, er_number *y)
{
    int32_t count = (p->channels + ER_BLOCK - 1) / ER_BLOCK, block = 0;
    if (p->pixels == 1)
        for (; block + LONE <= count; block += LONE)
            tile(p, 1, LONE, 0, block, padded, y);
    for (; block + BLOCKS <= count; block += BLOCKS)
        column(p, BLOCKS, block, padded, y);
    for (; block < count; block++)
        column(p, 1, block, padded, y);
}

#endif
