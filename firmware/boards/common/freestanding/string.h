/* The few functions of string.h that generated code and compilers call; for compilers that come without a libc. */
#ifndef ER_STRING_H
#define ER_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

#endif
