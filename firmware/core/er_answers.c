#include "er_answers.h"

#include <stddef.h>

#include "er_crc.h"

static void pack(er_core *core, const char *format, const void *words)
{
    er_pack(&core->tx, format, words);
}

/* [code, message, hint, [a number]] */
static void put_failure(er_core *core, const er_reply *reply)
{
    er_word words[3];

    words[0].number = (uint8_t)reply->failure[0];
    words[1].text = reply->failure + 1;
    words[2].number = reply->detail;
    pack(core, "\x94" U32 TEXT NIL "\x91" U32, words);
}

/* [protocol, software, max header, max payload, kinds, runtimes, clock, boot id, hash of the network, reset cause] */
static void put_hello(er_core *core)
{
    const er_device *device = core->device;
    er_word words[8];

    words[0].text = device->machine->software;
    words[1].number = ER_MAX_HEADER;
    words[2].number = device->max_samples * device->network->input_bytes;
    words[3].text = device->network->runtime;
    words[4].text = device->machine->clock;
    words[5].number = device->boot;
    words[6].text = device->network->sha256;
    words[7].text = device->reset_cause;
    pack(core,
         "\x9A\x01" TEXT U32 U32 "\x9D\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x10\x91" TEXT TEXT U32 TEXT
         TEXT,
         words);
}

static void put_machine(er_core *core)
{
    const er_machine *machine = core->device->machine;
    er_size i;

    pack(core,
         "\x88" "host" TEXT "system" TEXT "architecture" TEXT "cpu" TEXT "cores\x01" "memory_bytes" KNOWN
         "frequency_hz" KNOWN "packages" DICT,
         machine);
    for (i = 0; i < machine->build_count; i++) {
        pack(core, TEXT TEXT, &machine->build[i]);
    }
}

static void put_specs(er_core *core, const er_tensor *tensor, er_size count)
{
    er_size i;

    pack(core, LIST, &count);
    for (; count != 0; count--, tensor++) {
        pack(core, "\x84" "name" TEXT "dtype" TEXT "shape" LIST, tensor);
        for (i = 0; i < tensor->rank; i++) {
            pack(core, U32, &tensor->shape[i]);
        }
        pack(core,
             tensor->quantized ? "quantization\x82" "scales\x91" F32 "zero_points\x91" I32 : "quantization" NIL,
             &tensor->scale);
    }
}

static void put_loaded(er_core *core)
{
    er_size no_time = 0; /* it was loaded when the firmware was flashed */
    const er_network *network = core->device->network;

    pack(core, "\x89" "sha256" TEXT "runtime" TEXT "runtime_version" TEXT "invoke_method" TEXT, network);
    pack(core, "clock" TEXT "threads\x01" "inputs", &core->device->machine->clock);
    put_specs(core, network->inputs, network->input_count);
    pack(core, "outputs", NULL);
    put_specs(core, network->outputs, network->output_count);
    pack(core, "load_seconds" U32, &no_time);
}

/* Samples, tensors, reserved; bytes of each tensor with all its samples. */
static void put_tensors(er_core *core)
{
    const er_network *network = core->device->network;
    uint32_t i, number = (uint32_t)network->output_count;

    er_put(&core->tx, &core->results, 4);
    er_put(&core->tx, &number, 4);
    for (i = 0; i < network->output_count; i++) {
        number = (uint32_t)network->outputs[i].bytes * core->results;
        er_put(&core->tx, &number, 4);
    }
}

/* [last inference in ns, inferences, processor time in ns, machine or nil] */
static void put_statistics(er_core *core)
{
    er_word words[5];

    words[0].number = (uint32_t)(core->last_ns >> 32);
    words[1].number = (uint32_t)core->last_ns;
    words[2].number = core->inferences;
    words[3].number = (uint32_t)(core->busy_ns >> 32);
    words[4].number = (uint32_t)core->busy_ns;
    pack(core, "\x94" U64 U32 U64, words);
    if (core->machine) {
        put_machine(core);
    } else {
        pack(core, NIL, NULL);
    }
}

/* For a name and a reason. */
static const char unavailable[] = TEXT "\x82" "is" AND "unavailable" AND "reason" TEXT;

static void put_profile(er_core *core)
{
    const char *why = "not built in";
    const er_device *device = core->device;
    er_word words[2];
    er_size i;

    if (device->layer_ticks == NULL) {
        pack(core, unavailable + 1, &why);
        return;
    }
    pack(core, LIST, &device->network->layer_count);
    for (i = 0; i < device->network->layer_count; i++) {
        uint64_t time = device->nanoseconds(device->context, device->layer_ticks[i]);

        pack(core, "\x84" "name" TEXT "op" TEXT "index", &device->network->layers[i]);
        pack(core, U32 "time\x87" "is" AND "number" AND "unit" AND "s" AND "method" AND "mean", &i);
        pack(core, "kind" TEXT "clock" TEXT, &device->machine->kind);
        /* Single precision: good to 7 digits, as no clock is, and many processors have no other. */
        words[0].number = core->profiled;
        words[1].real =
            ((float)(uint32_t)time + 4294967296.0f * (float)(uint32_t)(time >> 32)) * 1e-9f / (float)core->profiled;
        pack(core, "n" U32 "value" F32, words);
    }
}

static void put_memory(er_core *core)
{
    const er_number *number = core->device->memory;
    er_size count = core->device->memory_count;

    pack(core, DICT, &count);
    for (; count != 0; count--, number++) {
        pack(core,
             number->kind == NULL
                 ? unavailable
                 : TEXT "\x85" "is" AND "number" AND "unit" AND "B" AND "method" TEXT "kind" TEXT "value" U32,
             number);
    }
}

static void put_log(er_core *core)
{
    const er_device *device = core->device;
    const uint8_t *text;
    uint32_t count;

    if (device->log != NULL) {
        text = device->log(device->context, &count);
        er_put(&core->tx, text, count);
    }
}

static void put_header(er_core *core, const er_reply *reply)
{
    if (reply->failure != NULL) {
        put_failure(core, reply);
    } else if (reply->kind == ER_HELLO) {
        put_hello(core);
    } else if (reply->kind == ER_RUN || reply->kind == ER_OUTPUT) {
        put_tensors(core);
    }
}

static void put_payload(er_core *core, const er_reply *reply)
{
    const er_device *device = core->device;

    if (reply->failure != NULL) {
        return;
    }
    switch (reply->kind) {
    case ER_HELLO:
        put_machine(core);
        break;
    case ER_MODEL:
    case ER_IO:
        put_loaded(core);
        break;
    case ER_RUN:
        er_put(&core->tx, device->times, 8 * core->results);
        /* fall through */
    case ER_OUTPUT:
        er_put(&core->tx, device->output, (uint32_t)device->network->output_bytes * core->results);
        break;
    case ER_STATS:
        put_statistics(core);
        break;
    case ER_PROFILE:
        put_profile(core);
        break;
    case ER_MEMORY:
        put_memory(core);
        break;
    case ER_LOG:
        put_log(core);
        break;
    default:
        break;
    }
}

static void start(er_tx *tx, uint8_t sending)
{
    tx->length = 0;
    tx->crc = 0;
    tx->sending = sending;
}

void er_answer(er_core *core, const er_reply *reply)
{
    er_tx *tx = &core->tx;
    er_frame frame;

    start(tx, 0);
    put_header(core, reply);
    frame.header_length = (uint16_t)tx->length;
    frame.header_crc = tx->crc;
    start(tx, 0);
    put_payload(core, reply);
    frame.payload_length = tx->length;
    frame.payload_crc = tx->crc;
    frame.sync = ER_SYNC;
    frame.version = ER_VERSION;
    frame.kind = reply->failure != NULL ? ER_ERROR : reply->id != 0 ? ER_OK : ER_HELLO;
    frame.flags = (uint16_t)(ER_CHECKED | reply->flags);
    frame.request = reply->id;
    frame.sequence = reply->sequence;
    frame.crc = er_crc32(0, (const uint8_t *)&frame, ER_COVERED);
    start(tx, 1);
    er_put(tx, &frame, ER_PREAMBLE);
    put_header(core, reply);
    put_payload(core, reply);
    if (core->device->flush != NULL) {
        core->device->flush(core->device->context);
    }
}
