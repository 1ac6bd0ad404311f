/* Depthwise convolution along one axis, int8, for Armv7E-M. */
#ifndef ER_TAPS_H
#define ER_TAPS_H

#include <stdint.h>

typedef struct er_taps {
    const uint32_t *stream; /* of four channels each; packed by taps.py */
    int32_t tap;            /* bytes from tap to tap */
    int32_t pixel;          /* from the first tap of a pixel of the output to that of the next */
    int32_t row;            /* and of a row */
    uint16_t taps, channels;
    uint16_t out_height, out_width;
    int32_t centre; /* 2 * zero point of the output + 1 */
} er_taps;

void er_taps_layer(const er_taps *layer, const int8_t *in, int8_t *out);

/* Groups of four channels of one pixel; returns the rest of the stream. */
const uint32_t *er_taps_groups(const uint32_t *stream, const int8_t *in, int8_t *out, uint32_t groups, int32_t tap,
                               uint32_t taps, int32_t centre);

#endif
