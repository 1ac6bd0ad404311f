#include "console.h"

#include <string.h>

#include "board.h"
#include "clock.h"
#include "processor.h"
#include "machine.h"
#include "network.h"
#include "sample.h"
#include "text.h"

enum { LINE = 32, NAMES = 34, OPS = 22, SHOWN = 32 };

static char line[LINE];
static uint32_t length;
static uint64_t layer_ticks[MODEL_LAYERS];

static void sink(char byte)
{
    if (byte == '\n') {
        board_put(BOARD_CONSOLE, '\r');
    }
    board_put(BOARD_CONSOLE, (uint8_t)byte);
}

static void put(const char *text)
{
    text_put(sink, text);
}

static void put_tensor(const char *what, const model_tensor *tensor)
{
    uint32_t i;

    put(what);
    put(tensor->name);
    put("  ");
    put(tensor->dtype);
    put(" [");
    for (i = 0; i < tensor->rank; i++) {
        put(i != 0 ? ", " : "");
        text_number(sink, tensor->shape[i], 0);
    }
    put("]");
    if (tensor->quantized) {
        put("  scale ");
        text_real(sink, tensor->scale);
        put(", zero point ");
        text_signed(sink, tensor->zero_point, 0);
    }
    put("\n");
}

/* CMD=1: the network, layer by layer. */
static void show_network(void)
{
    uint32_t i;

    put("network " MODEL_SHA256 "\n");
    for (i = 0; i < MODEL_INPUTS; i++) {
        put_tensor("input   ", &model_inputs[i]);
    }
    for (i = 0; i < MODEL_OUTPUTS; i++) {
        put_tensor("output  ", &model_outputs[i]);
    }
    put("\n  #  ");
    text_left(sink, "layer", NAMES);
    text_left(sink, "operator", OPS);
    put("      MACs\n");
    for (i = 0; i < MODEL_LAYERS; i++) {
        text_number(sink, i, 3);
        put("  ");
        text_left(sink, model_layers[i].name, NAMES);
        text_left(sink, model_layers[i].op, OPS);
        text_number(sink, model_layers[i].macs, 10);
        put("\n");
    }
    put("\narena ");
    text_number(sink, MODEL_ARENA_BYTES, 0);
    put(" B\n");
}

static void put_time(uint64_t ticks)
{
    /* Nanoseconds by 8 and by 125: good for half a minute without dividing 64 bits. */
    text_thousandths(sink, (uint32_t)(clock_nanoseconds(ticks) >> 3) / 125u, 12);
    put(" ms");
    text_number(sink, (uint32_t)ticks, 12);
    put(" ticks\n");
}

static void put_value(const model_tensor *tensor, const void *values, uint32_t index)
{
    const char *dtype = tensor->dtype;

    if (dtype[0] == 'f') {
        float value;
        memcpy(&value, (const uint8_t *)values + 4 * index, sizeof value);
        text_real(sink, value);
    } else if (dtype[0] == 'i' && dtype[3] == '8') {
        int32_t value = ((const int8_t *)values)[index];
        text_signed(sink, value, 5);
        put("  ");
        text_real(sink, tensor->scale * (float)(value - tensor->zero_point));
    } else {
        text_number(sink, ((const uint8_t *)values)[index], 5);
    }
}

static void put_outputs(void)
{
    uint32_t i, j, count;

    for (i = 0; i < MODEL_OUTPUTS; i++) {
        count = 1;
        for (j = 0; j < model_outputs[i].rank; j++) {
            count *= model_outputs[i].shape[j];
        }
        for (j = 0; j < count && j < SHOWN; j++) {
            put("Out[");
            text_number(sink, j, 0);
            put("]: ");
            put_value(&model_outputs[i], model_output(i), j);
            put("\n");
        }
    }
}

/* Numbers that rise, over and over: from the least integer to the greatest, or from 0 to 1. A sample that shows nothing
 * is worth no flash. */
static void put_ramp(const model_tensor *tensor, uint8_t *to)
{
    uint8_t flip = tensor->dtype[0] == 'i' ? 0x80 : 0;
    uint32_t i;

    if (tensor->dtype[0] == 'f') {
        for (i = 0; i < tensor->bytes / 4; i++) {
            float value = (float)(i & 255) / 255.0f;
            memcpy(to + 4 * i, &value, sizeof value);
        }
        return;
    }
    for (i = 0; i < tensor->bytes; i++) {
        to[i] = (uint8_t)i ^ flip;
    }
}

/* CMD=2: one inference of the sample that is built in, or of a ramp, with the time of each layer. */
static void run_sample(void)
{
    const uint8_t *from = sample_bytes;
    uint64_t total = 0;
    uint32_t i;

    put("sample  ");
    put(sample_name);
    put("\n");
    for (i = 0; i < MODEL_INPUTS; i++) {
        if (SAMPLE_BYTES == 0) {
            put_ramp(&model_inputs[i], model_input(i));
            continue;
        }
        memcpy(model_input(i), from, model_inputs[i].bytes);
        from += model_inputs[i].bytes;
    }
    memset(layer_ticks, 0, sizeof layer_ticks);
    network_invoke(layer_ticks);
    for (i = 0; i < MODEL_LAYERS; i++) {
        text_left(sink, model_layers[i].op, OPS);
        text_left(sink, model_layers[i].name, NAMES);
        put_time(layer_ticks[i]);
        total += layer_ticks[i];
    }
    text_left(sink, "TOTAL TIME=", OPS + NAMES);
    put_time(total);
    put_outputs();
}

/* CMD=3: what the firmware was built with, and memory. */
static void show_build(void)
{
    er_size i;

    for (i = 0; i < machine.build_count; i++) {
        text_left(sink, machine.build[i].name, 16);
        put(machine.build[i].value);
        put("\n");
    }
    text_left(sink, "stack", 16);
    text_number(sink, processor_stack_peak(), 0);
    put(" of ");
    text_number(sink, (uint32_t)((uintptr_t)er_stack_top - (uintptr_t)er_stack_bottom), 0);
    put(" B used\n");
}

static void help(void)
{
    put("CMD=1  the network\nCMD=2  run the built-in sample, time each layer\n"
        "CMD=3  what this was built with\nCMD=4  restart\n");
}

static void obey(void)
{
    int fits = length == 5 && line[0] == 'C' && line[1] == 'M' && line[2] == 'D' && line[3] == '=';

    switch (fits ? line[4] : 0) {
    case '1':
        show_network();
        break;
    case '2':
        run_sample();
        break;
    case '3':
        show_build();
        break;
    case '4':
        processor_reset();
    default:
        help();
        break;
    }
    put("> ");
}

void console_byte(uint8_t byte)
{
    if (byte == '\r' || byte == '\n') {
        if (length != 0) {
            put("\n");
            obey();
        }
        length = 0;
        return;
    }
    /* An echo, since terminals show nothing by themselves. */
    if ((byte == 8 || byte == 127) && length != 0) {
        length--;
        put("\b \b");
    } else if (byte >= ' ' && byte < 127 && length < LINE) {
        line[length++] = (char)byte;
        sink((char)byte);
    }
}

void console_greet(void)
{
    put("\n" BOARD_SOFTWARE " on " BOARD_TITLE "\n");
    help();
    put("> ");
}
