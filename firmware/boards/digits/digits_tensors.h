/* Between the floats of the digits' protocol and the tensors of the network that is built in. */
#ifndef DIGITS_TENSORS_H
#define DIGITS_TENSORS_H

#include <stdint.h>

#include "model.h"

/* Writes the 784 pixels at offset `at` of `bytes` into an input, quantized as that is. */
void digits_set_input(const model_tensor *tensor, void *to, const uint8_t *bytes, uint32_t at);

/* Reads the 10 real numbers of an output. */
void digits_get_output(const model_tensor *tensor, const void *from, float *outputs);

#endif
