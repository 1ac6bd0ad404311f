#include "network.h"

#include <string.h>

#include "board.h"
#include "build_config.h"
#include "clock.h"

static er_tensor inputs[MODEL_INPUTS], outputs[MODEL_OUTPUTS];
static er_layer layers[MODEL_LAYERS];
static er_size shapes[BOARD_SHAPE_WORDS];
static uint64_t moving;

er_network network = {
    .sha256 = MODEL_SHA256,
    .runtime = "micro",
    .runtime_version = BOARD_VERSION,
    .invoke_method = "the network's own call; inputs set before, outputs read after",
    .inputs = inputs,
    .outputs = outputs,
    .layers = layers,
    .input_count = MODEL_INPUTS,
    .output_count = MODEL_OUTPUTS,
    .layer_count = MODEL_LAYERS,
};

/* Copies descriptions into the form of the wire; returns the first free word for shapes and adds up the bytes. */
static er_size *describe(er_tensor *to, const model_tensor *from, uint32_t count, er_size *shape, er_size *bytes)
{
    uint32_t i, axis;

    for (i = 0; i < count; i++) {
        to[i].name = from[i].name;
        to[i].dtype = from[i].dtype;
        to[i].rank = from[i].rank;
        to[i].shape = shape;
        to[i].scale.real = from[i].scale;
        to[i].zero_point = (er_size)(uint32_t)from[i].zero_point;
        to[i].quantized = from[i].quantized;
        to[i].bytes = from[i].bytes;
        *bytes += from[i].bytes;
        for (axis = 0; axis < from[i].rank; axis++) {
            *shape++ = from[i].shape[axis];
        }
    }
    return shape;
}

void network_init(void)
{
    er_size *shape = shapes;
    uint32_t i;

    network.input_bytes = network.output_bytes = 0;
    shape = describe(inputs, model_inputs, MODEL_INPUTS, shape, &network.input_bytes);
    describe(outputs, model_outputs, MODEL_OUTPUTS, shape, &network.output_bytes);
    for (i = 0; i < MODEL_LAYERS; i++) {
        layers[i].name = model_layers[i].name;
        layers[i].op = model_layers[i].op;
    }
    model_init();
}

void network_invoke(uint64_t *layer_ticks)
{
    uint64_t before, after;
    uint32_t i;

    if (layer_ticks == NULL) {
        model_run();
        return;
    }
    before = clock_now();
    for (i = 0; i < MODEL_LAYERS; i++) {
        model_layers[i].run();
        after = clock_now();
        layer_ticks[i] += after - before;
        before = after;
    }
}

static void move(void *to, const void *from, uint32_t bytes)
{
    if (to != from) {
        memcpy(to, from, bytes);
    }
}

void network_run(uint8_t *from, uint8_t *to, uint32_t sample, uint32_t count, uint64_t *layer_ticks)
{
    uint64_t start = clock_now();
    uint32_t i;

    for (i = 0; i < MODEL_INPUTS; i++) {
        move(model_input(i), er_at(from, inputs, i, sample, count), (uint32_t)inputs[i].bytes);
    }
    moving += clock_now() - start;
    network_invoke(layer_ticks);
    start = clock_now();
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        move(er_at(to, outputs, i, sample, count), model_output(i), (uint32_t)outputs[i].bytes);
    }
    moving += clock_now() - start;
}

uint64_t network_clock(void)
{
    return clock_now() - moving;
}
