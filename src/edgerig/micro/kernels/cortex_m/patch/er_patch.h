/* Channels of a convolution or dense layer that a fast kernel cannot do exactly, computed after it, one by one. */
#ifndef ER_PATCH_H
#define ER_PATCH_H

#include <stdint.h>

typedef struct er_patch_channel {
    const int8_t *weights; /* as the file has them */
    int32_t bias, multiplier;
    int32_t exponent; /* positive ones shift left first */
    int32_t channel;
} er_patch_channel;

typedef struct er_patch {
    const er_patch_channel *channels;
    int32_t count, once; /* once: one rounding, as dense layers have it */
    int32_t height, width;
    int32_t depth; /* channels that an output sums over; 0: its own alone, as depthwise */
    int32_t out_height, out_width, kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x, top, left;
    int32_t in_channel, in_pixel, out_channel, out_pixel; /* bytes from one to the next */
    int32_t zero_in, zero_out, low, high;
} er_patch;

void er_patch_run(const er_patch *patch, const int8_t *in, int8_t *out);

#endif
