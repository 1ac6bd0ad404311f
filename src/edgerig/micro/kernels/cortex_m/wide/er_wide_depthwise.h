/* Depthwise convolutions with activations of 16 bits: two channels of a word at a time. */
#ifndef ER_WIDE_DEPTHWISE_H
#define ER_WIDE_DEPTHWISE_H

#include "er_wide.h"

/* `layer`: pixels, channels, window and scaling of er_wide; weights: int16, of each place of the window all channels. */
void er_wide_depthwise(const er_wide *layer, const int16_t *weights, const int16_t *in, int16_t *out);

#endif
