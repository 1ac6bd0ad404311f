#include "network.h"

#include <stddef.h>

#include "dense_weights.h"

static const er_size input_shape[] = { 1, NETWORK_INPUTS };
static const er_size output_shape[] = { 1, NETWORK_OUTPUTS };

static const er_tensor input = {
    "x", "int8", 2, input_shape, { .real = INPUT_SCALE }, (er_size)(uint32_t)INPUT_ZERO, 1, NETWORK_INPUTS,
};
static const er_tensor output = {
    "y", "int8", 2, output_shape, { .real = OUTPUT_SCALE }, (er_size)(uint32_t)OUTPUT_ZERO, 1, NETWORK_OUTPUTS,
};
static const er_layer layers[NETWORK_LAYERS] = { { "sums", "FULLY_CONNECTED" }, { "outputs", "REQUANTIZE" } };

const er_network network = {
    .sha256 = NETWORK_SHA256,
    .runtime = "micro",
    .runtime_version = "0.1.0",
    .invoke_method = "call of the network only; inputs set before, outputs read after",
    .inputs = &input,
    .outputs = &output,
    .layers = layers,
    .input_count = 1,
    .output_count = 1,
    .layer_count = NETWORK_LAYERS,
    .input_bytes = NETWORK_INPUTS,
    .output_bytes = NETWORK_OUTPUTS,
};

static int8_t requantize(int32_t sum)
{
    /* One rounding, as LiteRT's reference kernel of FULLY_CONNECTED does it. */
    int64_t scaled = ((int64_t)sum * MULTIPLIER + ((int64_t)1 << (SHIFT - 1))) >> SHIFT;

    scaled += OUTPUT_ZERO;
    return (int8_t)(scaled < -128 ? -128 : scaled > 127 ? 127 : scaled);
}

void network_run(const uint8_t *from, uint8_t *to, uint64_t *layer_ticks, uint64_t (*ticks)(void *))
{
    int32_t sums[NETWORK_OUTPUTS];
    uint64_t start = 0, middle = 0;
    int i, j;

    if (layer_ticks != NULL) {
        start = ticks(NULL);
    }
    for (i = 0; i < NETWORK_OUTPUTS; i++) {
        sums[i] = bias[i];
        for (j = 0; j < NETWORK_INPUTS; j++) {
            sums[i] += weights[i][j] * ((int8_t)from[j] - INPUT_ZERO);
        }
    }
    if (layer_ticks != NULL) {
        middle = ticks(NULL);
    }
    for (i = 0; i < NETWORK_OUTPUTS; i++) {
        to[i] = (uint8_t)requantize(sums[i]);
    }
    if (layer_ticks != NULL) {
        layer_ticks[0] += middle - start;
        layer_ticks[1] += ticks(NULL) - middle;
    }
}
