#include "text.h"

void text_put(text_sink sink, const char *text)
{
    while (*text != 0) {
        sink(*text++);
    }
}

static void blanks(text_sink sink, uint32_t have, uint32_t want)
{
    for (; have < want; have++) {
        sink(' ');
    }
}

void text_left(text_sink sink, const char *text, uint32_t width)
{
    uint32_t length = 0, i;

    while (text[length] != 0) {
        length++;
    }
    for (i = 0; i < length && (length < width || i < width - 3); i++) {
        sink(text[i]);
    }
    if (length >= width) {
        text_put(sink, ".. ");
        return;
    }
    blanks(sink, length, width);
}

static uint32_t digits(uint32_t number)
{
    uint32_t count = 1;

    while (number >= 10) {
        number /= 10;
        count++;
    }
    return count;
}

/* Exactly `count` digits, leading zeros included. */
static void put_digits(text_sink sink, uint32_t number, uint32_t count)
{
    uint32_t scale = 1, i;

    for (i = 1; i < count; i++) {
        scale *= 10;
    }
    for (; scale != 0; scale /= 10) {
        sink((char)('0' + number / scale % 10));
    }
}

void text_number(text_sink sink, uint32_t number, uint32_t width)
{
    blanks(sink, digits(number), width);
    put_digits(sink, number, digits(number));
}

void text_signed(text_sink sink, int32_t number, uint32_t width)
{
    uint32_t size = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;

    blanks(sink, digits(size) + (number < 0 ? 1u : 0u), width);
    if (number < 0) {
        sink('-');
    }
    put_digits(sink, size, digits(size));
}

void text_hex(text_sink sink, uint32_t number)
{
    int shift;

    for (shift = 28; shift >= 0; shift -= 4) {
        sink("0123456789abcdef"[number >> shift & 15u]);
    }
}

void text_thousandths(text_sink sink, uint32_t number, uint32_t width)
{
    text_number(sink, number / 1000, width > 4 ? width - 4 : 0);
    sink('.');
    put_digits(sink, number % 1000, 3);
}

void text_real(text_sink sink, float number)
{
    uint32_t whole, parts;

    if (number < 0.0f) {
        sink('-');
        number = -number;
    }
    if (!(number < 2e9f)) {
        text_put(sink, "over 2e9");
        return;
    }
    whole = (uint32_t)number;
    parts = (uint32_t)((number - (float)whole) * 1e6f + 0.5f);
    if (parts >= 1000000u) {
        parts -= 1000000u;
        whole++;
    }
    text_number(sink, whole, 0);
    sink('.');
    put_digits(sink, parts, 6);
}
