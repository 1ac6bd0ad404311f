/* The network that is built in, as the wire and the console see it. */
#ifndef NETWORK_H
#define NETWORK_H

#include "../../core/er_device.h"
#include "model.h"

/* Filled by network_init. */
extern er_network network;

void network_init(void);

/* One inference of the sample that lies in the network's own inputs. Adds what each layer took to `layer_ticks`, unless
 * that is NULL. */
void network_invoke(uint64_t *layer_ticks);

/* One inference of sample number `sample` of `count` at `from`, laid out as er_device.h says. */
void network_run(uint8_t *from, uint8_t *to, uint32_t sample, uint32_t count, uint64_t *layer_ticks);

/* A clock that stands still while network_run moves inputs and outputs, so that times are the network's alone. */
uint64_t network_clock(void);

#endif
