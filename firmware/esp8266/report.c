/* Numbers are printed by whole numbers alone: the same on every machine, and without the functions of a libc that print
 * reals, which take more memory than all of this. */
#include "report.h"

#include <string.h>

enum { MOST_DIGITS = 40, PLACES = 6, MANTISSA = 23, BIAS = 127 };

/* Appends `count` digits of a number, its last ones, zeros in front included. */
static char *put_digits(char *to, uint32_t number, uint32_t count)
{
    uint32_t i;

    for (i = count; i != 0; i--) {
        to[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + count;
}

static uint32_t count_digits(uint32_t number)
{
    uint32_t count = 1;

    while (number > 9) {
        number /= 10;
        count++;
    }
    return count;
}

static char *put_whole(char *to, uint32_t number)
{
    return put_digits(to, number, count_digits(number));
}

/* Appends mantissa * 2^doublings, whose digits are doubled one by one: it may be larger than any whole number. */
static char *put_large(char *to, uint32_t mantissa, uint32_t doublings)
{
    uint8_t digits[MOST_DIGITS] = { 0 };
    uint32_t count = count_digits(mantissa), i, carry;

    for (i = 0; i < count; i++) {
        digits[i] = (uint8_t)(mantissa % 10);
        mantissa /= 10;
    }
    while (doublings-- != 0) {
        carry = 0;
        for (i = 0; i < count; i++) {
            carry += 2u * digits[i];
            digits[i] = (uint8_t)(carry % 10);
            carry /= 10;
        }
        if (carry != 0) {
            digits[count++] = (uint8_t)carry;
        }
    }
    for (i = count; i != 0; i--) {
        *to++ = (char)('0' + digits[i - 1]);
    }
    return to;
}

/* 10^6 * part / 2^shift, to the nearest and to the even one of two. `part` has 24 bits. */
static uint32_t millionths(uint32_t part, uint32_t shift)
{
    /* In two halves of 12 bits, each of whose products fits into 32. */
    uint64_t product = ((uint64_t)(1000000u * (part >> 12)) << 12) + 1000000u * (part & 0xFFFu);
    uint64_t half, rest;
    uint32_t quotient;

    if (shift > 45) {
        return 0;
    }
    half = (uint64_t)1 << (shift - 1);
    quotient = (uint32_t)(product >> shift);
    rest = product & ((half << 1) - 1);
    return quotient + (rest > half || (rest == half && (quotient & 1u) != 0));
}

char *report_real(char *to, float number)
{
    char *end = to;
    uint32_t bits, mantissa, exponent, shift, whole, part;

    memcpy(&bits, &number, sizeof bits);
    if (bits >> 31 != 0) {
        *end++ = '-';
    }
    exponent = bits >> MANTISSA & 0xFFu;
    mantissa = (bits & ((1u << MANTISSA) - 1)) | (exponent != 0 ? 1u << MANTISSA : 0);
    exponent += exponent == 0;
    whole = part = 0;
    if (exponent >= BIAS + MANTISSA) {
        end = put_large(end, mantissa, exponent - BIAS - MANTISSA);
    } else {
        shift = BIAS + MANTISSA - exponent;
        whole = shift > MANTISSA ? 0 : mantissa >> shift;
        part = millionths(shift > MANTISSA ? mantissa : mantissa & ((1u << shift) - 1), shift);
        if (part == 1000000u) {
            whole++;
            part = 0;
        }
        end = put_whole(end, whole);
    }
    *end++ = '.';
    end = put_digits(end, part, PLACES);
    *end = 0;
    return to;
}

char *report_ms(char *to, uint32_t ticks, uint32_t mhz)
{
    uint32_t each = 1000u * mhz, rest = ticks % each, i;
    char *end = put_whole(to, ticks / each);

    *end++ = '.';
    for (i = 0; i < PLACES; i++) {
        rest *= 10;
        *end++ = (char)('0' + rest / each);
        rest %= each;
    }
    *end = 0;
    return to;
}

void report_results(void (*write_line)(const char *line), const uint8_t *bytes, const digits_message *message,
                    uint32_t ticks, uint32_t mhz)
{
    char line[32 + REPORT_NUMBER];
    uint32_t i;

    write_line("======== Results ========");
    strcpy(line, "Inference time in ms: ");
    report_real(line + strlen(line), message->timer_ms);
    write_line(line);
    for (i = 0; i < DIGITS_OUTPUTS; i++) {
        strcpy(line, "out[0]: ");
        line[4] = (char)('0' + i);
        report_real(line + strlen(line), digits_float(bytes, message->outputs_at, i));
        write_line(line);
    }
    strcpy(line, "Transaction time: ");
    report_ms(line + strlen(line), ticks, mhz);
    strcat(line, " ms");
    write_line(line);
}
