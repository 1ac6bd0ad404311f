/* The digits' codec on this machine. Without arguments it reads records from its input, a length in 32 bits and so many
 * bytes, and prints of each what it is: VERDICT LENGTH REQUEST REPLY, the last two the message written anew in hex
 * digits, or - if it is none. With SEED ROUNDS it changes good messages in some way and reads them. Meant to be built
 * with sanitizers: each message lies in memory of exactly its size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../digits/digits.h"
#include "faults.h"

enum { MOST = 1 << 16 };

static uint8_t space[DIGITS_REQUEST];

static uint32_t write_request(const digits_message *message, const uint8_t *bytes)
{
    float pixels[DIGITS_PIXELS];
    uint32_t i;

    if (message->command == DIGITS_GET_STATS) {
        return digits_write_stats_request(space);
    }
    for (i = 0; i < DIGITS_PIXELS; i++) {
        pixels[i] = digits_float(bytes, message->pixels_at, i);
    }
    return digits_write_request(space, pixels);
}

static uint32_t write_reply(const digits_message *message, const uint8_t *bytes)
{
    float outputs[DIGITS_OUTPUTS];
    uint32_t i;

    if (message->command == DIGITS_GET_STATS) {
        return digits_write_stats(space, (uint8_t)message->version, message->freq_hz, (int8_t)message->mode);
    }
    for (i = 0; i < DIGITS_OUTPUTS; i++) {
        outputs[i] = digits_float(bytes, message->outputs_at, i);
    }
    return digits_write_reply(space, outputs, message->timer_ms, (uint8_t)message->output_n);
}

static void print_hex(uint32_t count)
{
    uint32_t i;

    putchar(' ');
    for (i = 0; i < count; i++) {
        printf("%02x", space[i]);
    }
}

/* Memory of exactly that size, so that a sanitizer sees whatever is read behind it. */
static uint8_t *room(uint32_t size)
{
    uint8_t *memory = malloc(size != 0 ? size : 1);

    if (memory == NULL) {
        fputs("no memory\n", stderr);
        exit(1);
    }
    return memory;
}

static int read_records(void)
{
    static const char *const verdicts[] = { "whole", "more", "wrong" };
    digits_message message;
    uint32_t size;

    while (fread(&size, sizeof size, 1, stdin) == 1 && size <= MOST) {
        uint8_t *bytes = room(size);

        if (fread(bytes, 1, size, stdin) != size) {
            free(bytes);
            return 1;
        }
        printf("%s", verdicts[digits_read(&message, bytes, size)]);
        printf(" %u", message.length);
        if (digits_check_request(&message, bytes, size) == NULL) {
            print_hex(write_request(&message, bytes));
        } else {
            printf(" -");
        }
        if (digits_check_reply(&message, bytes, size) == NULL) {
            print_hex(write_reply(&message, bytes));
        } else {
            printf(" -");
        }
        putchar('\n');
        free(bytes);
    }
    return 0;
}

/* A good message of any kind in `space`. */
static uint32_t make_message(faults *luck)
{
    static const float pixels[DIGITS_PIXELS] = { 0.5f };

    switch ((int)(faults_random(luck) * 4)) {
    case 0:
        return digits_write_stats_request(space);
    case 1:
        return digits_write_reply(space, pixels, 1.5f, DIGITS_OUTPUTS);
    case 2:
        return digits_write_stats(space, 101, 216000000, DIGITS_CMSIS_NN);
    default:
        return digits_write_request(space, pixels);
    }
}

/* Changes bytes of its beginning, where the offsets are, to small numbers and others. */
static void change(faults *luck, uint8_t *bytes, uint32_t size)
{
    uint32_t changes = (uint32_t)(faults_random(luck) * 5), reach = size < 64 ? size : 64;

    while (changes-- != 0 && reach != 0) {
        uint32_t at = (uint32_t)(faults_random(luck) * reach);
        double what = faults_random(luck);

        bytes[at] = what < 0.5 ? (uint8_t)(faults_random(luck) * 8 * 4) : (uint8_t)(faults_random(luck) * 256);
    }
}

static int fuzz(unsigned long seed, unsigned long rounds)
{
    unsigned long counts[3] = { 0, 0, 0 }, requests = 0, replies = 0, round;
    faults luck;

    faults_seed(&luck, seed);
    for (round = 0; round < rounds; round++) {
        uint32_t size = make_message(&luck);
        digits_message message;
        uint8_t *bytes;

        if (faults_random(&luck) < 0.2) {
            size = (uint32_t)(faults_random(&luck) * size);
        }
        bytes = room(size);
        memcpy(bytes, space, size);
        change(&luck, bytes, size);
        counts[digits_read(&message, bytes, size)]++;
        if (digits_check_request(&message, bytes, size) == NULL) {
            requests++;
            write_request(&message, bytes);
        }
        if (digits_check_reply(&message, bytes, size) == NULL) {
            replies++;
            write_reply(&message, bytes);
        }
        free(bytes);
    }
    printf("whole %lu, more %lu, wrong %lu, requests %lu, replies %lu\n", counts[0], counts[1], counts[2], requests,
           replies);
    return 0;
}

int main(int count, char **words)
{
    if (count == 3) {
        return fuzz(strtoul(words[1], NULL, 10), strtoul(words[2], NULL, 10));
    }
    return read_records();
}
