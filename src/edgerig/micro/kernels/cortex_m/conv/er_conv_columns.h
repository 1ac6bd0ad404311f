/* Convolution of int8 images: three pixels' windows become columns, and an er_pointwise_run multiplies them. */
#ifndef ER_CONV_COLUMNS_H
#define ER_CONV_COLUMNS_H

#include <stdint.h>

#include "er_pairs.h"

/* A window is so many runs of neighbouring bytes: one for each row of taps, or, where it is dilated, for each tap. */
typedef struct er_conv_columns_shape {
    int16_t height, width, channels;
    int16_t out_width;
    int32_t pixels;              /* of the output */
    int16_t kernel_height, runs; /* runs: in a row of taps */
    int16_t stride_y, stride_x, dilation_y, dilation_x;
    int16_t top, left, right; /* padding */
    int16_t run;
    int16_t zero;                 /* what the padding holds */
    int16_t tiles;                /* that columns have room for */
    int32_t pitch, row_step;      /* bytes of a row, and from a row of taps to the next */
    int32_t begin;                /* of the padding in a row of the band */
    int32_t padded_rows;          /* of a copy of the whole image, or 0 */
    int32_t pixel_stride, second; /* of the output, and from its channel 0 to the one before the last, bytes */
} er_conv_columns_shape;

/* Widens the window that begins at from, to every third word. */
typedef void er_conv_window(const er_conv_columns_shape *shape, const int8_t *from, uint32_t *to);
er_conv_window er_conv_window_any;

/* columns: shape->tiles times the bytes of a tile; band: where there is padding, padded_rows of pitch bytes or, if
   that is 0, kernel_height; else 0. second, if not 0, are the last two channels of an odd number. */
void er_conv_columns(const er_conv_columns_shape *shape, er_conv_window *window, er_pointwise_run *run,
                     const er_pointwise *first, const er_pointwise *second, const int8_t *in, int8_t *out,
                     uint32_t *columns, int8_t *band);

static inline void er_widen(const int8_t *from, uint32_t *to)
{
    uint32_t word;
    __builtin_memcpy(&word, from, 4);
    __asm__("sxtb16 %0, %1" : "=r"(to[0]) : "r"(word));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(to[3]) : "r"(word));
}

static inline uint32_t er_two(int8_t low, int8_t high)
{
    return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16;
}

#endif
