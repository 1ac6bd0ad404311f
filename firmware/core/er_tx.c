#include "er_tx.h"

#include <stddef.h>

#include "er_crc.h"

void er_put(er_tx *tx, const void *bytes, uint32_t count)
{
    tx->crc = er_crc32(tx->crc, bytes, count);
    tx->length += count;
    if (tx->sending) {
        tx->write(tx->context, bytes, count);
    }
}

/* A byte, then the low `count` bytes of a number, big endian. */
static void put_coded(er_tx *tx, uint32_t code, uint32_t number, uint32_t count)
{
    uint8_t bytes[5];
    uint32_t i;

    bytes[0] = (uint8_t)code;
    for (i = count; i != 0; i--) {
        bytes[i] = (uint8_t)number;
        number >>= 8;
    }
    er_put(tx, bytes, count + 1);
}

static void put_text(er_tx *tx, const char *text, uint32_t length)
{
    if (length < 32) {
        put_coded(tx, 0xA0 | length, 0, 0);
    } else {
        put_coded(tx, 0xDA, length, 2);
    }
    er_put(tx, text, length);
}

static uint32_t length_of(const char *text)
{
    uint32_t length = 0;

    while (text[length] != 0) {
        length++;
    }
    return length;
}

void er_pack(er_tx *tx, const char *format, const er_word *words)
{
    uint32_t code, length;

    while ((code = (uint8_t)*format) != 0) {
        for (length = 0; (uint8_t)format[length] - 0x20u < 0x5Fu; length++) {}
        if (length != 0) {
            put_text(tx, format, length);
            format += length;
            continue;
        }
        format++;
        if (code < 0xC1) {
            if (code != 0x7F) {
                put_coded(tx, code, 0, 0);
            }
            continue;
        }
        if (code <= 0xC2 && words->number == 0) {
            put_coded(tx, 0xC0, 0, 0);
        } else if (code == 0xC1) {
            put_text(tx, words->text, length_of(words->text));
        } else if (code == 0xC3) {
            put_coded(tx, (uint32_t)words->number >> 24, (uint32_t)words->number, 3);
        } else {
            put_coded(tx, code == 0xC2 ? 0xCE : code, (uint32_t)words->number, 4);
        }
        words++;
    }
}
