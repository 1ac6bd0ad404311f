/* Text without a libc: each call writes to a sink, byte by byte. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>

typedef void (*text_sink)(char byte);

void text_put(text_sink sink, const char *text);
/* Exactly `width` characters, filled with blanks or cut. */
void text_left(text_sink sink, const char *text, uint32_t width);
/* At least `width` characters, filled with blanks on the left. */
void text_number(text_sink sink, uint32_t number, uint32_t width);
void text_signed(text_sink sink, int32_t number, uint32_t width);
void text_hex(text_sink sink, uint32_t number);
/* Thousandths of something, as a number with three digits after the point. */
void text_thousandths(text_sink sink, uint32_t number, uint32_t width);
/* With six digits after the point; what exceeds 2e9 is cut. */
void text_real(text_sink sink, float number);

#endif
