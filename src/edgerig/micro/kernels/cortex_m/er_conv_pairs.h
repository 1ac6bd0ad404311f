/* Convolution of int8 images by er_pairs. */
#ifndef ER_CONV_PAIRS_H
#define ER_CONV_PAIRS_H

#include <stdint.h>

#include "er_pairs.h"

/* A window is `runs` times `run` neighbouring bytes of a row: kernel height rows of kernel width * channels, or, where
   it is dilated, one run for each tap. */
typedef struct er_conv_pairs_shape {
    int16_t height, width, out_width;
    int16_t pixels; /* of the output */
    int16_t channels, out_channels;
    int16_t kernel_height, kernel_width;
    int16_t stride_y, stride_x, dilation_y, dilation_x;
    int16_t top, left; /* padding */
    int16_t run;
    int16_t zero; /* what the padding holds */
} er_conv_pairs_shape;

/* columns: as many words as the weights of 6 channels have bytes / 2; edge: `run` bytes, rounded up to 4.
   The pixel stride of the jobs is 0 if there are fewer than 3 pixels. pairs has the weights of the even number of channels; odd, if not 0, of the last channel and the one before it. */
void er_conv_pairs(const er_conv_pairs_shape *shape, const er_pairs *pairs, const er_pairs *odd, const int8_t *in,
                   int8_t *out, uint32_t *columns, int8_t *edge);

#endif
