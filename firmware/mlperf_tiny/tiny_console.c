/* Commands end in '%', answers in CR LF, the last of which is m-ready. Errors are spelled as in the public reference. */
#include "tiny.h"

#include <stddef.h>

#include "clock.h"
#include "processor.h"
#include "machine.h"
#include "text.h"
#include "tiny_text.h"

static tiny_line lines[BOARD_CONSOLE + 1];
static board_line answered;

void tiny_sink(char byte)
{
    board_put(answered, (uint8_t)byte);
}

void tiny_put(const char *text)
{
    text_put(tiny_sink, text);
}

void tiny_put_number(const char *before, uint32_t number, const char *after)
{
    tiny_put(before);
    tiny_put_unsigned(tiny_sink, number);
    tiny_put(after);
}

char *tiny_word(char **rest)
{
    char *word = *rest, *end;

    while (*word == ' ') {
        word++;
    }
    for (end = word; *end != ' ' && *end != 0; end++) {}
    *rest = *end != 0 ? end + 1 : end;
    *end = 0;
    return word != end ? word : NULL;
}

int tiny_equal(const char *left, const char *right)
{
    while (*left != 0 && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}

int32_t tiny_integer(const char *word)
{
    const uint32_t limit = INT32_MAX;
    uint32_t value = 0, digit;
    int negative = *word == '-';

    if (negative || *word == '+') {
        word++;
    }
    for (; *word >= '0' && *word <= '9'; word++) {
        digit = (uint32_t)(*word - '0');
        value = value > (limit - digit) / 10 ? limit : value * 10 + digit;
        if (value == limit) {
            break;
        }
    }
    return negative ? -(int32_t)value : (int32_t)value;
}

/* 32 bits, as %lu has them on such a device: microseconds begin anew after 71.6 minutes. */
void tiny_timestamp(void)
{
#if TINY_ENERGY
    board_pull_pin();
#else
    uint64_t count = clock_nanoseconds(clock_now());

    tiny_divide(&count, 1000);
    tiny_put_number("m-lap-us-", (uint32_t)count, "\r\n");
#endif
}

static void help(void)
{
    uint32_t i;

    tiny_put(TINY_PROFILE "\r\n"
                          "help         : print this text\r\n"
                          "name         : print the name of the device\r\n"
                          "profile      : print the protocol's version and the benchmark\r\n"
                          "timestamp    : print the time in microseconds, or pull the pin of the power monitor\r\n"
                          "db load N    : expect a sample of N bytes\r\n"
                          "db HH[HH]*   : append bytes to it, two hexadecimal digits each\r\n"
                          "db print     : print it\r\n"
                          "infer N [W]  : run N inferences on it, after W that are not timed\r\n"
                          "results      : print the outputs of the last inference\r\n");
    /* What this firmware was built with: of another firmware a number may mean something else. */
    for (i = 0; i < machine.build_count; i++) {
        text_left(tiny_sink, machine.build[i].name, 16);
        tiny_put(machine.build[i].value);
        tiny_put("\r\n");
    }
}

static void infer(char *rest)
{
    const char *count = tiny_word(&rest), *warm_up = count != NULL ? tiny_word(&rest) : NULL;

    tiny_infer(count != NULL ? tiny_integer(count) : 1, warm_up != NULL ? tiny_integer(warm_up) : TINY_WARM_UP);
}

static void obey(char *command)
{
    char *word = tiny_word(&command);

    if (word == NULL) {
        tiny_put("e-[Unknown command: ]\r\n");
    } else if (tiny_equal(word, "db")) {
        tiny_db(command);
    } else if (tiny_equal(word, "infer")) {
        infer(command);
    } else if (tiny_equal(word, "results")) {
        tiny_results();
    } else if (tiny_equal(word, "name")) {
        tiny_put("m-name-dut-[" TINY_VENDOR "]\r\n");
    } else if (tiny_equal(word, "profile")) {
        tiny_put("m-profile-[" TINY_PROFILE "]\r\nm-model-[" TINY_BENCHMARK "]\r\n");
    } else if (tiny_equal(word, "timestamp")) {
        tiny_timestamp();
    } else if (tiny_equal(word, "help")) {
        help();
    } else {
        tiny_put("e-[Unknown command: ");
        tiny_put(word);
        tiny_put("]\r\n");
    }
    tiny_put("m-ready\r\n");
}

void tiny_byte(board_line line, uint8_t byte)
{
    tiny_line *to = &lines[line];

    if (byte == '%') {
        to->command[to->length] = 0;
        to->length = 0;
        answered = line;
        obey(to->command);
    } else if (byte >= ' ' && byte < 127 && to->length < TINY_COMMAND) {
        to->command[to->length++] = (char)byte;
    }
}

/* A crash brought the processor here: where it was, as a line that is no message of the protocol. */
static void tell_fault(void)
{
    if (processor_last_fault.magic == FAULT_MAGIC) {
        tiny_put("fault before: pc ");
        text_hex(tiny_sink, processor_last_fault.pc);
        tiny_put(PROCESSOR_LINK);
        text_hex(tiny_sink, processor_last_fault.lr);
        tiny_put(PROCESSOR_STATUS);
        text_hex(tiny_sink, processor_last_fault.status);
        tiny_put("\r\n");
    }
}

void tiny_boot(void)
{
    static const board_line all[] = { BOARD_WIRE, BOARD_CONSOLE };
    uint32_t i;

    for (i = 0; i < sizeof all / sizeof all[0]; i++) {
        answered = all[i];
        tell_fault();
        tiny_put(TINY_ENERGY ? "m-timestamp-mode-energy\r\n" : "m-timestamp-mode-performance\r\n");
        if (!TINY_ENERGY || i == 0) {
            tiny_timestamp();
        }
        tiny_put("m-init-done\r\nm-ready\r\n");
    }
    processor_last_fault.magic = 0;
}
