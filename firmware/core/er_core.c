#include "er_core.h"

#include <stddef.h>

#include "er_answers.h"

static void fail(er_core *core, const char *failure, uint32_t detail)
{
    core->last.failure = failure;
    core->last.detail = detail;
}

static uint32_t following(uint32_t sequence)
{
    return sequence == 0xFFFFu ? 1u : sequence + 1u;
}

/* Refuses a frame that does not count as a request: names the sequence number that the next one must have. */
static void refuse(er_core *core, const char *failure)
{
    er_reply reply;

    reply.flags = 0;
    reply.id = core->rx.frame.request;
    reply.sequence = core->rx.frame.sequence;
    reply.failure = failure;
    reply.detail = core->greeted ? following(core->last.sequence) : 0u;
    er_rx_ignore(&core->rx);
    er_answer(core, &reply);
}

static void remember(er_core *core)
{
    core->last.id = core->rx.frame.request;
    core->last.sequence = core->rx.frame.sequence;
    core->last.kind = core->rx.frame.kind;
    fail(core, NULL, 0);
}

/* ---- the network */

static void run(er_core *core, uint32_t count, uint64_t *layer_ticks)
{
    const er_device *device = core->device;
    uint32_t i;

    core->results = 0;
    if (device->in_place) {
        core->waiting = 0;
    }
    for (i = 0; i < count; i++) {
        uint64_t start = device->ticks(device->context);
        int result = device->run(device->context, i, count, layer_ticks);
        uint64_t end = device->ticks(device->context);

        if (result != 0) {
            fail(core, ER_INFERENCE "The network failed.", (uint32_t)result);
            return;
        }
        core->last_ns = device->nanoseconds(device->context, end - start);
        core->busy_ns += core->last_ns;
        core->inferences++;
        device->times[i] = core->last_ns;
    }
    core->results = count;
}

static void profile(er_core *core, uint32_t count)
{
    const er_device *device = core->device;
    uint32_t i;

    if (device->layer_ticks != NULL) {
        for (i = 0; i < device->network->layer_count; i++) {
            device->layer_ticks[i] = 0;
        }
        run(core, count, device->layer_ticks);
        core->profiled = count;
    }
}

/* ---- requests */

/* Samples in the message, as the header of RUN, DATA or PROFILE says. */
static uint32_t samples(const er_core *core)
{
    return core->rx.header[0];
}

/* Whether the header of RUN, DATA or PROFILE describes what the network takes. */
static int fits(const er_core *core)
{
    const er_network *network = core->device->network;
    const er_frame *frame = &core->rx.frame;
    const uint32_t *header = core->rx.header;
    uint32_t i;

    if (frame->header_length != 8 + 4 * (uint32_t)network->input_count || header[1] != network->input_count) {
        return 0;
    }
    if (header[0] == 0 || header[0] > core->device->max_samples) {
        return 0;
    }
    for (i = 0; i < network->input_count; i++) {
        if (header[2 + i] != network->inputs[i].bytes * header[0]) {
            return 0;
        }
    }
    return frame->payload_length == network->input_bytes * header[0];
}

/* Whether MODEL asks for the network that is built in: has no header, or has its hash somewhere, as a text of 64
 * characters. A hash is not to be met with by chance, so nothing before it needs to be understood. */
static int is_ours(const er_core *core)
{
    const char *hash = core->device->network->sha256;
    uint32_t length = core->rx.frame.header_length, matched = 0, i;

    for (i = 0; i < length && matched < 64; i++) {
        const uint8_t *at = (const uint8_t *)core->rx.header + i;

        if (matched != 0 || (i >= 2 && at[-2] == 0xD9 && at[-1] == 64)) {
            matched = *at == (uint8_t)hash[matched] ? matched + 1 : 0;
        }
    }
    return length == 0 || matched == 64;
}

static void begin_sequence(const er_device *device)
{
    if (device->begin != NULL) {
        device->begin(device->context);
    }
}

static void begin(er_core *core)
{
    begin_sequence(core->device);
    core->waiting = core->results = core->inferences = 0;
    core->last_ns = core->busy_ns = 0;
}

static void begin_process(er_core *core)
{
    core->last.flags = ER_MORE;
    er_answer(core, &core->last);
    core->last.flags = 0;
}

/* Does what a whole and undamaged request asks for, up to its answer. */
static void perform(er_core *core)
{
    const er_device *device = core->device;

    switch (core->last.kind) {
    case ER_MODEL:
        if (!is_ours(core)) {
            fail(core, ER_INCOMPATIBLE "Another network is built in.", 0);
            break;
        }
        /* fall through */
    case ER_HELLO:
    case ER_RESET:
        core->greeted = 1;
        begin(core);
        break;
    case ER_DATA:
        core->waiting = samples(core);
        break;
    case ER_PROCESS:
        if (core->waiting == 0) {
            fail(core, ER_INFERENCE "DATA must come first.", 0);
            break;
        }
        begin_process(core);
        run(core, core->waiting, NULL);
        break;
    case ER_OUTPUT:
        if (core->results == 0) {
            fail(core, ER_INFERENCE "PROCESS must come first.", 0);
        }
        break;
    case ER_STATS:
        core->machine = core->rx.frame.header_length > 1 && ((const uint8_t *)core->rx.header)[1] == 0xC3;
        break;
    case ER_RUN:
        run(core, samples(core), NULL);
        break;
    case ER_PROFILE:
        profile(core, samples(core));
        break;
    case ER_MEMORY:
        if (device->measure_memory != NULL) {
            device->measure_memory(device->context);
        }
        break;
    case ER_BEGIN:
        begin_sequence(device);
        break;
    case ER_IO:
    case ER_LOG:
        break;
    default:
        fail(core, ER_UNSUPPORTED "Unknown kind of request.", 0);
        break;
    }
}

/* The header of a frame has come whole: is it a request in its turn, and where does its payload go? */
static uint8_t *accept(void *owner)
{
    er_core *core = owner;
    const er_frame *frame = &core->rx.frame;
    const er_reply *last = &core->last;

    core->repeated = 0;
    if (frame->sequence != 0 && frame->kind != ER_HELLO) {
        if (core->greeted && frame->sequence == last->sequence && frame->request == last->id &&
            frame->kind == last->kind) {
            core->repeated = 1;
            return NULL;
        }
        if (!core->greeted || frame->sequence != following(last->sequence)) {
            refuse(core, ER_OUT_OF_SEQUENCE "Out of sequence.");
            return NULL;
        }
    }
    if (frame->kind != ER_RUN && frame->kind != ER_DATA && frame->kind != ER_PROFILE) {
        return NULL;
    }
    if (!fits(core)) {
        er_rx_ignore(&core->rx);
        remember(core);
        fail(core, ER_INFERENCE "Inputs do not fit the network.", (uint32_t)core->device->max_samples);
        er_answer(core, last);
        return NULL;
    }
    core->waiting = 0;
    if (core->device->in_place) {
        core->results = 0;
    }
    return core->device->input;
}

static void judge(void *owner, er_verdict verdict)
{
    static const char *const why[] = {
        NULL,
        ER_BAD_FRAME "Header too long.",
        ER_BAD_FRAME "Only version 1 is known.",
        ER_BAD_FRAME "Message damaged.",
        ER_BAD_FRAME "Message cut short.",
    };
    er_core *core = owner;

    /* Answers are never answered: what we sent may come back to us. */
    if (core->rx.frame.kind <= ER_ERROR) {
        return;
    }
    if (verdict != ER_GOOD) {
        refuse(core, why[verdict]);
        return;
    }
    if (!core->repeated) {
        remember(core);
        perform(core);
    } else if (core->last.kind == ER_PROCESS && core->last.failure == NULL) {
        begin_process(core);
    }
    er_answer(core, &core->last);
    if (core->last.kind == ER_RESET && core->device->reset != NULL) {
        core->device->reset(core->device->context);
    }
}

void er_core_init(er_core *core, const er_device *device)
{
    uint8_t *byte;

    for (byte = (uint8_t *)core; byte < (uint8_t *)(core + 1); byte++) {
        *byte = 0;
    }
    core->device = device;
    core->tx.context = device->context;
    core->tx.write = device->write;
    er_rx_init(&core->rx, core, accept, judge);
}

void er_core_bytes(er_core *core, const uint8_t *bytes, uint32_t count)
{
    er_rx_bytes(&core->rx, bytes, count);
}

void er_core_idle(er_core *core)
{
    er_rx_idle(&core->rx);
}

void er_core_announce(er_core *core)
{
    core->last.kind = ER_HELLO;
    er_answer(core, &core->last);
}
