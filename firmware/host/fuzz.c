/* Throws damaged sessions at the core: er_fuzz SEED ROUNDS. Each round sends some requests that are broken in some way,
 * then falls silent, and then the device must answer a HELLO. Meant to be built with sanitizers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/er_core.h"
#include "../core/er_crc.h"
#include "faults.h"
#include "network.h"

enum { SPACE = 1 << 16 };

static er_core core;
static faults luck;
static uint32_t inputs[NETWORK_INPUTS * NETWORK_SAMPLES / 4];
static uint8_t outputs[NETWORK_OUTPUTS * NETWORK_SAMPLES];
static uint64_t times[NETWORK_SAMPLES], layer_ticks[NETWORK_LAYERS], now;
static unsigned long runs, oks, errors, bad_answers, others;
static uint32_t greeting;

/* ---- the host's end: reads what the device writes with the same receiver */

static er_rx host;
static uint8_t answer[SPACE];

static uint8_t *take_answer(void *owner)
{
    (void)owner;
    if (host.frame.payload_length > SPACE) {
        bad_answers++;
        er_rx_ignore(&host);
        return NULL;
    }
    return answer;
}

static void judge_answer(void *owner, er_verdict verdict)
{
    (void)owner;
    if (verdict != ER_GOOD) {
        bad_answers++;
    } else if (host.frame.kind == ER_OK) {
        oks++;
        greeting = host.frame.request;
    } else if (host.frame.kind == ER_ERROR) {
        errors++;
    } else {
        others++;
    }
}

/* ---- the device */

static int run(void *context, uint32_t sample, uint32_t count, uint64_t *layers)
{
    (void)context;
    runs++;
    if (faults_random(&luck) < 0.01) {
        return -7;
    }
    (void)layers;
    network_run(er_at((uint8_t *)inputs, network.inputs, 0, sample, count),
                er_at(outputs, network.outputs, 0, sample, count), NULL, NULL);
    return 0;
}

static uint64_t ticks(void *context)
{
    (void)context;
    return now += 1234567;
}

static uint64_t nanoseconds(void *context, uint64_t count)
{
    (void)context;
    return count * 125 / 27;
}

static void put(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    if (count != 0) {
        er_rx_bytes(&host, bytes, count);
    }
}

static const er_machine machine = { .host = "fuzz", .software = "fuzz", .clock = "none", .kind = "measured" };
static er_device device = {
    .network = &network,
    .machine = &machine,
    .input = (uint8_t *)inputs,
    .output = outputs,
    .times = times,
    .max_samples = NETWORK_SAMPLES,
    .boot = 1,
    .run = run,
    .ticks = ticks,
    .nanoseconds = nanoseconds,
    .write = put,
};

/* ---- requests */

static uint32_t below(uint32_t limit)
{
    return (uint32_t)(faults_random(&luck) * limit);
}

static uint32_t number(void)
{
    static const uint32_t nasty[] = {
        0, 1, 2, 15, 255, 256, 257, 4096, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF
    };

    return below(3) == 0 ? nasty[below(sizeof nasty / sizeof nasty[0])] : below(300);
}

static size_t put_tensors(uint8_t *header, uint32_t *payload)
{
    uint32_t fields[3];

    fields[0] = below(4) == 0 ? number() : 1 + below(NETWORK_SAMPLES);
    fields[1] = below(16) == 0 ? number() : 1;
    fields[2] = below(8) == 0 ? number() : fields[0] * NETWORK_INPUTS;
    *payload = below(8) == 0 ? number() % 8192 : fields[2] % 8192;
    memcpy(header, fields, sizeof fields);
    return sizeof fields;
}

/* A request: mostly sensible, its checksums right, its lengths true. Its length. */
static size_t make_request(uint8_t *to, uint32_t id, uint16_t sequence)
{
    er_frame frame;
    uint8_t *header = to + ER_PREAMBLE, *payload;
    uint32_t i, length = below(6) == 0 ? number() % 8192 : 0;
    size_t header_length = below(6) == 0 ? number() % 300 : 0;

    for (i = 0; i < header_length; i++) {
        header[i] = (uint8_t)below(256);
    }
    memset(&frame, 0, sizeof frame);
    frame.sync = ER_SYNC;
    frame.version = ER_VERSION;
    frame.kind = (uint8_t)(below(20) == 0 ? below(256) : 1 + below(15));
    if (frame.kind == ER_RUN || frame.kind == ER_DATA || frame.kind == ER_PROFILE) {
        header_length = put_tensors(header, &length);
    } else if (frame.kind == ER_MODEL && below(2) == 0) {
        memcpy(header, "\x95\xA5micro\x80\xA6tflite\xD9\x40", 17);
        memcpy(header + 17, network.sha256, 64);
        header_length = 17 + below(66);
    }
    payload = header + header_length;
    for (i = 0; i < length; i++) {
        payload[i] = (uint8_t)below(256);
    }
    frame.flags = (uint16_t)(below(10) == 0 ? number() : ER_CHECKED);
    frame.request = id;
    frame.sequence = sequence;
    frame.header_length = (uint16_t)header_length;
    frame.payload_length = length;
    frame.header_crc = er_crc32(0, header, (uint32_t)header_length);
    frame.payload_crc = er_crc32(0, payload, length);
    if (below(12) == 0) {
        /* A lie that has a checksum. */
        ((uint8_t *)&frame)[4 + below(24)] ^= (uint8_t)(1u << below(8));
    }
    frame.crc = er_crc32(0, (const uint8_t *)&frame, ER_COVERED);
    memcpy(to, &frame, ER_PREAMBLE);
    return ER_PREAMBLE + header_length + length;
}

static void feed(const uint8_t *bytes, size_t count)
{
    while (count != 0) {
        size_t part = below(3) == 0 ? 1 : 1 + below((uint32_t)count);

        if (part > count) {
            part = count;
        }
        er_core_bytes(&core, bytes, (uint32_t)part);
        bytes += part;
        count -= part;
    }
}

static size_t round_of_requests(uint32_t round)
{
    static uint8_t bytes[SPACE], damaged[3 * SPACE];
    size_t requests = 1 + below(6), count, i;
    uint16_t sequence = (uint16_t)(below(2) == 0 ? 0 : below(65536));

    for (i = 0; i < requests; i++) {
        count = make_request(bytes, 1000000 + round, sequence);
        if (below(2) == 0) {
            luck.drop = luck.flip = luck.insert = luck.repeat = 0.0005 * below(8);
            count = faults_apply(&luck, bytes, count, damaged);
            feed(damaged, count);
        } else {
            feed(bytes, count);
        }
        if (sequence != 0 && below(4) != 0) {
            sequence = (uint16_t)(sequence == 0xFFFF ? 1 : sequence + 1);
        }
        if (below(8) == 0) {
            er_core_idle(&core);
        }
    }
    return requests;
}

static int answers_hello(uint32_t id)
{
    uint8_t bytes[ER_PREAMBLE];
    er_frame frame;

    memset(&frame, 0, sizeof frame);
    frame.sync = ER_SYNC;
    frame.version = ER_VERSION;
    frame.kind = ER_HELLO;
    frame.request = id;
    frame.sequence = (uint16_t)(id % 2 == 0 ? 0 : 1 + below(65535));
    frame.crc = er_crc32(0, (const uint8_t *)&frame, ER_COVERED);
    memcpy(bytes, &frame, sizeof bytes);
    greeting = 0;
    feed(bytes, sizeof bytes);
    return greeting == id;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, round, requests = 0, deaf = 0;

    if (rounds == 0) {
        fputs("usage: er_fuzz SEED ROUNDS\n", stderr);
        return 2;
    }
    faults_seed(&luck, strtoul(argv[1], NULL, 10));
    er_rx_init(&host, NULL, take_answer, judge_answer);
    er_core_init(&core, &device);
    for (round = 0; round < rounds; round++) {
        device.layer_ticks = below(2) == 0 ? NULL : layer_ticks;
        device.in_place = below(2);
        requests += round_of_requests((uint32_t)round);
        er_core_idle(&core);
        if (!answers_hello((uint32_t)round + 1)) {
            deaf++;
        }
    }
    printf("rounds %lu, requests %lu, runs %lu, ok %lu, errors %lu, others %lu, bad answers %lu, deaf %lu\n", rounds,
           requests, runs, oks, errors, others, bad_answers, deaf);
    return bad_answers + deaf + others == 0 ? 0 : 1;
}
