/* The sample lies in memory that nothing else needs: as much as the benchmark takes is set aside by the linker. */
#include "tiny.h"

#include <stddef.h>
#include <string.h>

#include "processor.h"
#include "tiny_text.h"

static uint32_t size, filled;

static uint8_t *buffer(void)
{
    return (uint8_t *)er_free;
}

/* Where a board has less memory than the protocol's largest sample, it takes what there is. */
static uint32_t largest(void)
{
    uint32_t room = (uint32_t)((uintptr_t)er_ram_end - (uintptr_t)er_free);

    return room < TINY_LARGEST_SAMPLE ? room : TINY_LARGEST_SAMPLE;
}

uint8_t *tiny_sample(uint32_t *bytes)
{
    *bytes = filled;
    return buffer();
}

static void load(const char *word)
{
    int32_t count;

    if (word == NULL) {
        tiny_put("e-[Command 'db load' requires the # of bytes]\r\n");
        return;
    }
    count = tiny_integer(word);
    size = filled = 0;
    if (count <= 0) {
        tiny_put("e-[Command 'db load' must be >0 bytes]\r\n");
    } else if ((uint32_t)count > largest()) {
        tiny_put_number("Supplied buffer size ", (uint32_t)count, "");
        tiny_put_number(" exceeds maximum of ", largest(), "\r\n");
    } else {
        size = (uint32_t)count;
        memset(buffer(), 0, size);
        tiny_put_number("m-[Expecting ", size, " bytes]\r\n");
    }
}

static void print(void)
{
    uint32_t i;

    for (i = 0; i < size; i++) {
        tiny_put(i % TINY_PRINTED == 0 ? "m-buffer-" : "-");
        tiny_put_byte(tiny_sink, buffer()[i]);
        if (i % TINY_PRINTED == TINY_PRINTED - 1 || i + 1 == size) {
            tiny_put("\r\n");
        }
    }
}

static int32_t digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* What comes after the last byte, or without a `db load`, is dropped; but digits that are none are told. */
static void fill(const char *digits)
{
    uint32_t length = 0;
    int32_t high, low;

    while (digits[length] != 0) {
        length++;
    }
    if (length % 2 != 0) {
        tiny_put("e-[Insufficent number of hex digits]\r\n");
        return;
    }
    for (; *digits != 0; digits += 2) {
        high = digit(digits[0]);
        low = digit(digits[1]);
        if (high < 0 || low < 0) {
            tiny_put("e-[Invalid hex digit '");
            tiny_sink(digits[0]);
            tiny_sink(digits[1]);
            tiny_put("']\r\n");
            return;
        }
        if (filled == size) {
            continue;
        }
        buffer()[filled++] = (uint8_t)(high << 4 | low);
        if (filled == size) {
            tiny_put("m-load-done\r\n");
            return;
        }
    }
}

void tiny_db(char *rest)
{
    const char *word = tiny_word(&rest);

    if (word == NULL) {
        tiny_put("e-[Command 'db' requires a subcommand]\r\n");
    } else if (tiny_equal(word, "load")) {
        load(tiny_word(&rest));
    } else if (tiny_equal(word, "print")) {
        print();
    } else {
        fill(word);
    }
}
