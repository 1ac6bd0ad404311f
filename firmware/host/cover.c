/* Coverage-guided fuzzing of the core: er_cover SEED SECONDS. gcc's -fsanitize-coverage=trace-pc calls us at every edge
 * of core/; an input that reaches a new one, or one more often than before, is kept and changed further.
 *
 * An input is a list of records, each a frame: kind, flags, sequence, header length, payload length (2 bytes), damage
 * (0: none, else one bit of the frame is flipped), then header and payload. Frames get right checksums, or nothing would
 * come past them. Meant to be built with the address and undefined-behaviour sanitizers, which end the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../core/er_core.h"
#include "../core/er_crc.h"
#include "faults.h"
#include "network.h"

void __sanitizer_cov_trace_pc(void);

enum { MAP = 1 << 14, LONGEST = 512, KEPT = 4096, RECORD = 7 };

static uint8_t hits[MAP], best[MAP];
static uintptr_t before;
static er_core core;
static faults luck;
static uint32_t inputs[NETWORK_INPUTS * NETWORK_SAMPLES / 4];
static uint8_t outputs[NETWORK_OUTPUTS * NETWORK_SAMPLES];
static uint64_t times[NETWORK_SAMPLES], now;
static struct input {
    uint8_t bytes[LONGEST];
    size_t count;
} kept[KEPT];
static size_t kept_count;
static unsigned long written;

/* An edge is a pair of places in the program; its slot, that of their mixed addresses. */
void __sanitizer_cov_trace_pc(void)
{
    uintptr_t place = (uintptr_t)__builtin_return_address(0);
    uintptr_t slot = (place ^ (before >> 1)) * (uintptr_t)0x9E3779B97F4A7C15u;

    slot = (slot >> 40) % MAP;
    if (hits[slot] != 255) {
        hits[slot]++;
    }
    before = place;
}

static int run(void *context, uint32_t sample, uint32_t count, uint64_t *layers)
{
    (void)context;
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
    return count;
}

static void put(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    (void)bytes;
    written += count;
}

static const er_machine machine = { .host = "fuzz", .software = "fuzz", .clock = "none", .kind = "measured" };
static const er_device device = {
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

static void feed_record(const uint8_t *record, const uint8_t *body, size_t header, size_t payload)
{
    static uint8_t bytes[ER_PREAMBLE + LONGEST];
    er_frame frame;
    size_t size = ER_PREAMBLE + header + payload;

    memset(&frame, 0, sizeof frame);
    frame.sync = ER_SYNC;
    frame.version = ER_VERSION;
    frame.kind = record[0];
    frame.flags = record[1];
    frame.sequence = record[2];
    frame.request = record[2];
    frame.header_length = (uint16_t)header;
    frame.payload_length = (uint32_t)payload;
    frame.header_crc = er_crc32(0, body, (uint32_t)header);
    frame.payload_crc = er_crc32(0, body + header, (uint32_t)payload);
    frame.crc = er_crc32(0, (const uint8_t *)&frame, ER_COVERED);
    memcpy(bytes, &frame, ER_PREAMBLE);
    memcpy(bytes + ER_PREAMBLE, body, header + payload);
    if (record[6] != 0) {
        bytes[(size_t)record[6] * 7 % size] ^= (uint8_t)(1u << (record[6] & 7));
    }
    er_core_bytes(&core, bytes, (uint32_t)size);
}

static void play(const struct input *input)
{
    size_t at = 0;

    memset(hits, 0, sizeof hits);
    before = 0;
    er_core_init(&core, &device);
    while (at + RECORD <= input->count) {
        const uint8_t *record = input->bytes + at, *body = record + RECORD;
        size_t left = input->count - at - RECORD, header = record[3],
               payload = (size_t)record[4] | (size_t)record[5] << 8;

        if (header > left) {
            header = left;
        }
        if (payload > left - header) {
            payload = left - header;
        }
        feed_record(record, body, header, payload);
        at += RECORD + header + payload;
    }
    er_core_idle(&core);
}

/* Whether the last input reached an edge that no other did, or an edge in a new order of magnitude of times. */
static int is_new(void)
{
    int found = 0;
    size_t i;

    for (i = 0; i < MAP; i++) {
        uint8_t seen = (uint8_t)(hits[i] == 0 ? 0 : hits[i] < 2 ? 1 : hits[i] < 4 ? 2 : hits[i] < 32 ? 4 : 8);

        if ((seen & (uint8_t)~best[i]) != 0) {
            best[i] |= seen;
            found = 1;
        }
    }
    return found;
}

static size_t below(size_t limit)
{
    return (size_t)(faults_random(&luck) * (double)limit);
}

static void change(struct input *input)
{
    size_t changes = 1 + below(6), i;

    for (i = 0; i < changes; i++) {
        size_t at = input->count == 0 ? 0 : below(input->count), choice = below(5);

        if (choice == 0 && input->count + 16 < LONGEST) {
            size_t more = 1 + below(16);
            memmove(input->bytes + at + more, input->bytes + at, input->count - at);
            while (more-- != 0) {
                input->bytes[at + more] = (uint8_t)below(256);
                input->count++;
            }
        } else if (choice == 1 && input->count > 1) {
            size_t less = 1 + below(input->count - at < 8 ? input->count - at : 8);
            memmove(input->bytes + at, input->bytes + at + less, input->count - at - less);
            input->count -= less;
        } else if (choice == 2 && kept_count != 0) {
            const struct input *other = &kept[below(kept_count)];
            size_t room = LONGEST - input->count, take = other->count < room ? other->count : room;
            memcpy(input->bytes + input->count, other->bytes, take);
            input->count += take;
        } else if (input->count != 0) {
            static const uint8_t telling[] = { 0, 1, 2, 3, 4, 8, 9, 10, 16, 32, 64, 127, 128, 255 };
            uint8_t flipped = (uint8_t)(input->bytes[at] ^ (1u << below(8)));
            input->bytes[at] = choice == 3 ? telling[below(sizeof telling)] : flipped;
        }
    }
}

/* One plain request of each kind to begin with. */
static void plant(void)
{
    uint8_t kind;

    for (kind = 0; kind < 18; kind++) {
        struct input *seed = &kept[kept_count++];
        memset(seed->bytes, 0, RECORD + 12);
        seed->bytes[0] = kind;
        seed->bytes[1] = ER_CHECKED;
        seed->bytes[3] = 12;
        seed->bytes[RECORD] = seed->bytes[RECORD + 4] = 1;
        seed->bytes[RECORD + 8] = NETWORK_INPUTS;
        seed->bytes[4] = NETWORK_INPUTS;
        memset(seed->bytes + RECORD + 12, 1, NETWORK_INPUTS);
        seed->count = RECORD + 12 + NETWORK_INPUTS;
        play(seed);
        (void)is_new();
    }
}

int main(int argc, char **argv)
{
    unsigned long seconds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, played = 0, edges = 0;
    time_t end = time(NULL) + (time_t)seconds;
    static struct input input;
    size_t i;

    if (seconds == 0) {
        fputs("usage: er_cover SEED SECONDS\n", stderr);
        return 2;
    }
    faults_seed(&luck, strtoul(argv[1], NULL, 10));
    plant();
    while (time(NULL) < end) {
        input = kept[below(kept_count)];
        change(&input);
        play(&input);
        played++;
        if (is_new() && kept_count < KEPT) {
            kept[kept_count++] = input;
        }
    }
    for (i = 0; i < MAP; i++) {
        edges += best[i] != 0;
    }
    printf("played %lu, kept %lu, edges %lu, written %lu\n", played, (unsigned long)kept_count, edges, written);
    return 0;
}
