/* The network of the host's device: one int8 dense layer of 64 to 10, bit-exact with LiteRT's reference kernel. */
#ifndef NETWORK_H
#define NETWORK_H

#include "../core/er_device.h"

enum { NETWORK_INPUTS = 64, NETWORK_OUTPUTS = 10, NETWORK_SAMPLES = 64, NETWORK_LAYERS = 2 };

extern const er_network network;

/* One sample: int8 in, int8 out. Adds to layer_ticks[0] what the sums took, to [1] what requantizing took, unless it is
 * NULL. */
void network_run(const uint8_t *input, uint8_t *output, uint64_t *layer_ticks, uint64_t (*ticks)(void *));

#endif
