/* Numbers as MLPerf Tiny's device protocol spells them, without a libc. */
#ifndef TINY_TEXT_H
#define TINY_TEXT_H

#include <stdint.h>

#include "text.h"

/* As %llu. */
void tiny_put_unsigned(text_sink sink, uint64_t number);

/* Two hexadecimal digits, as %02x. */
void tiny_put_byte(text_sink sink, uint8_t byte);

/* As %0.3f: the exact value rounded to thousandths, halves to the even one. */
void tiny_put_real(text_sink sink, float number);
void tiny_put_double(text_sink sink, double number);

/* number / by, and what remains: without the library's division of 64 bits. `by` is at most 65535. */
uint32_t tiny_divide(uint64_t *number, uint32_t by);

#endif
