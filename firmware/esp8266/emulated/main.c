/* What of the sketch needs no network: commands, numbers, messages. What it prints on the lx106 must be what it prints on
 * any other machine. */
#include <string.h>

#include <digits.h>

#include "commands.h"
#include "host.h"
#include "report.h"

#ifndef __XTENSA__
#include <unistd.h>

void host_write(const char *text, uint32_t count)
{
    if (write(1, text, count) != (ssize_t)count) {
        _exit(1);
    }
}
#endif

static uint8_t space[DIGITS_REQUEST];
static float pixels[DIGITS_PIXELS];

static void put(const char *text)
{
    host_write(text, (uint32_t)strlen(text));
}

static void put_line(const char *text)
{
    put(text);
    put("\n");
}

static void put_thousandths(uint32_t number)
{
    char text[REPORT_NUMBER];

    /* Of a clock of 1 MHz 1000 ticks are a millisecond. */
    put_line(report_ms(text, number, 1));
}

static float from_bits(uint32_t bits)
{
    float number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

static void try_commands(void)
{
    static const char typed[] =
        "TEST\nSTART=5\r\nSTOP\nSTART=\nSTART=0\nSTART=1234567\nSTART=00000000000000012\n"
        "START=2147484\nSTART=1x\nstop\n\nSTART=99999999999999999999999999999999999999999999999999999"
        "9999999999999999999\nTEST\n";
    command_line line = { { 0 }, 0, 0 };
    uint32_t i;

    for (i = 0; i < sizeof typed - 1; i++) {
        command what = command_byte(&line, typed[i]);

        if (what != COMMAND_NONE) {
            put("command ");
            put_thousandths((uint32_t)what);
            put("seconds ");
            put_thousandths(line.seconds);
        }
    }
}

/* Numbers of all sizes, those that lie in the middle of two of six digits among them. */
static void try_numbers(void)
{
    char text[REPORT_NUMBER];
    uint32_t bits, i;

    for (i = 0, bits = 1; i < 700; i++, bits += 0x7F7FFFFFu / 700u) {
        put_line(report_real(text, from_bits(bits)));
        put_line(report_real(text, from_bits(bits | 0x80000000u)));
    }
    for (i = 0; i < 128; i++) {
        put_line(report_real(text, from_bits(0x3C000000u + (i << 17))));
    }
    put_line(report_ms(text, 5876301u, 160));
    put_line(report_ms(text, 5876301u, 80));
    put_line(report_ms(text, 0xFFFFFFFFu, 160));
}

static uint32_t checksum(uint32_t count)
{
    uint32_t sum = 2166136261u, i;

    for (i = 0; i < count; i++) {
        sum = (sum ^ space[i]) * 16777619u;
    }
    return sum;
}

static void try_messages(void)
{
    digits_message message;
    const char *wrong;
    uint32_t i, size;

    for (i = 0; i < DIGITS_PIXELS; i++) {
        pixels[i] = from_bits(0x3F000000u + (i << 8));
    }
    size = digits_write_request(space, pixels);
    put_thousandths(checksum(size));
    wrong = digits_check_request(&message, space, size);
    put_line(wrong != NULL ? wrong : "a request");
    size = digits_write_reply(space, pixels, 8.420229f, DIGITS_OUTPUTS);
    put_thousandths(checksum(size));
    wrong = digits_check_reply(&message, space, size);
    put_line(wrong != NULL ? wrong : "a reply");
    report_results(put_line, space, &message, 5876301u, 160);
    /* Each byte of the reply changed, and the reply cut behind it. */
    for (i = 0; i < size; i++) {
        space[i] ^= 0x5Au;
        wrong = digits_check_reply(&message, space, size);
        put_line(wrong != NULL ? wrong : "a reply");
        space[i] ^= 0x5Au;
        wrong = digits_check_reply(&message, space, i);
        put_line(wrong != NULL ? wrong : "a reply");
    }
}

int main(void)
{
    try_commands();
    try_numbers();
    try_messages();
    return 0;
}
