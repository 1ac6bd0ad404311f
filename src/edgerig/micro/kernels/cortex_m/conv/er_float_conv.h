/* Convolution of float images by er_float_tile. */
#ifndef ER_FLOAT_CONV_H
#define ER_FLOAT_CONV_H

#include <stdint.h>

#include "er_float_tile.h"

typedef struct er_float_conv_shape {
    int16_t height, width, channels;
    int16_t out_height, out_width, out_channels; /* what is left by the maximum, if there is one */
    int16_t kernel_height, kernel_width;
    int16_t stride_y, stride_x, dilation_y, dilation_x;
    int16_t top, left; /* padding */
    int16_t pixels;    /* in a tile: 3 or 4 */
} er_float_conv_shape;

/* columns: a window for each pixel of a tile. odd, if not 0, are the last four channels where their number is no
   multiple of four; few: where they are fewer than four, four for each pixel of a tile, else 0. */
void er_float_conv(const er_float_conv_shape *shape, const er_float_tile *job, const er_float_tile *odd,
                   const float *in, float *out, float *columns, float *few);

/* With a 2x2 maximum, stride 2, behind it. */
void er_float_conv_pool(const er_float_conv_shape *shape, const er_float_tile *job, const er_float_tile *odd,
                        const float *in, float *out, float *columns, float *few);

#endif
