/*
 * What the calls of kernels for vectors are told. Apart from the vectors themselves: the compiler needs longer to read
 * this machine's intrinsics than to compile a network's calls.
 */
#ifndef ER_SHAPES_H
#define ER_SHAPES_H

#include <stdint.h>

#define ER_BLOCK 16 /* output channels whose weights are packed together */

/* How sums of one block of output channels are scaled. */
typedef struct er_scales {
    int32_t bias[ER_BLOCK], weights[ER_BLOCK]; /* weights: their sum, times 128 */
    int32_t multiplier[ER_BLOCK], left[ER_BLOCK], right[ER_BLOCK];
} er_scales;

/* What windows see: the image with its borders, row by row. */
typedef struct er_image {
    int32_t height, width, pixel; /* of the input, pixel in bytes */
    int32_t top, left, rows, columns;
} er_image;

#endif
