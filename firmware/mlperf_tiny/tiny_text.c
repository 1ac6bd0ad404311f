#include "tiny_text.h"

#include <string.h>

/* 2^53 / 2^64 is less than half a thousandth. A double has up to 309 digits before its point. */
enum { UNSIGNED_DIGITS = 20, REAL_DIGITS = 310, LARGEST_SHIFT = 63 };

uint32_t tiny_divide(uint64_t *number, uint32_t by)
{
    uint32_t high = (uint32_t)(*number >> 32), low = (uint32_t)*number, quotient, part;
    uint32_t rest = high % by;

    quotient = high / by;
    /* 16 bits at a time, so that what remains and the next digits fit 32 bits. */
    part = rest << 16 | low >> 16;
    rest = part % by;
    low = rest << 16 | (low & 0xFFFFu);
    *number = (uint64_t)quotient << 32 | (uint64_t)(part / by) << 16 | low / by;
    return low % by;
}

void tiny_put_unsigned(text_sink sink, uint64_t number)
{
    char digits[UNSIGNED_DIGITS];
    uint32_t count = 0;

    do {
        digits[count++] = (char)('0' + tiny_divide(&number, 10));
    } while (number != 0);
    while (count != 0) {
        sink(digits[--count]);
    }
}

void tiny_put_byte(text_sink sink, uint8_t byte)
{
    sink("0123456789abcdef"[byte >> 4]);
    sink("0123456789abcdef"[byte & 15]);
}

/* mantissa * 2^doublings, digit by digit. */
static void put_large(text_sink sink, uint64_t mantissa, uint32_t doublings)
{
    uint8_t digits[REAL_DIGITS];
    uint32_t count = 0, i, carry;

    do {
        digits[count++] = (uint8_t)tiny_divide(&mantissa, 10);
    } while (mantissa != 0);
    for (; doublings != 0; doublings--) {
        for (carry = 0, i = 0; i < count; i++) {
            carry += 2u * digits[i];
            digits[i] = (uint8_t)(carry % 10);
            carry /= 10;
        }
        if (carry != 0) {
            digits[count++] = (uint8_t)carry;
        }
    }
    while (count != 0) {
        sink((char)('0' + digits[--count]));
    }
    text_put(sink, ".000");
}

/* mantissa / 2^shift, for a shift from 1 on and a mantissa below 2^53: times 1000 it is below 2^63. */
static void put_small(text_sink sink, uint64_t mantissa, uint32_t shift)
{
    uint64_t whole, scaled, half, rest;
    uint32_t parts;

    /* Of anything smaller nothing is left. */
    if (shift > LARGEST_SHIFT) {
        mantissa = 0;
        shift = LARGEST_SHIFT;
    }
    whole = mantissa >> shift;
    half = UINT64_C(1) << (shift - 1);
    scaled = (mantissa & (2 * half - 1)) * 1000u;
    parts = (uint32_t)(scaled >> shift);
    rest = scaled & (2 * half - 1);
    if (rest > half || (rest == half && (parts & 1u) != 0)) {
        parts++;
    }
    if (parts == 1000) {
        parts = 0;
        whole++;
    }
    tiny_put_unsigned(sink, whole);
    sink('.');
    sink((char)('0' + parts / 100));
    sink((char)('0' + parts / 10 % 10));
    sink((char)('0' + parts % 10));
}

/* A number of which `exponent` is the biased one in the file: `special` means no number, 1 and 0 the smallest. */
static void put_parts(text_sink sink, int negative, uint32_t exponent, uint64_t mantissa, uint32_t bits,
                      uint32_t special)
{
    /* The exponent with which the mantissa is the number itself. */
    uint32_t plain = special / 2 + bits;

    if (exponent == special && mantissa != 0) {
        text_put(sink, "nan");
        return;
    }
    if (negative) {
        sink('-');
    }
    if (exponent == special) {
        text_put(sink, "inf");
        return;
    }
    if (exponent != 0) {
        mantissa |= UINT64_C(1) << bits;
    } else {
        exponent = 1;
    }
    if (exponent < plain) {
        put_small(sink, mantissa, plain - exponent);
    } else {
        put_large(sink, mantissa, exponent - plain);
    }
}

void tiny_put_real(text_sink sink, float number)
{
    uint32_t bits;

    memcpy(&bits, &number, sizeof bits);
    put_parts(sink, bits >> 31 != 0, bits >> 23 & 255u, bits & 0x7FFFFFu, 23, 255);
}

void tiny_put_double(text_sink sink, double number)
{
    uint64_t bits;
    uint32_t high;

    memcpy(&bits, &number, sizeof bits);
    high = (uint32_t)(bits >> 32);
    put_parts(sink, high >> 31 != 0, high >> 20 & 2047u, bits & UINT64_C(0xFFFFFFFFFFFFF), 52, 2047);
}
