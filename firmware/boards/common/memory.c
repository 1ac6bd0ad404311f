/* memcpy, memset, memmove, and the names by which Arm's compilers call them. */
#include <stdint.h>
#include <string.h>

/* Without this, compilers see what the loops do and put in a call of the very function. */
#if defined(__clang__)
#define PLAIN __attribute__((no_builtin))
#else
#define PLAIN __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

/* Words that may alias whatever is copied. */
typedef uint32_t __attribute__((may_alias)) word;

enum { WORD = sizeof(word) };

static int aligned(const void *one, const void *other)
{
    return (((uintptr_t)one | (uintptr_t)other) & (WORD - 1)) == 0;
}

PLAIN void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (aligned(to, from)) {
        for (; count >= 4 * WORD; count -= 4 * WORD, out += 4 * WORD, in += 4 * WORD) {
            word a = ((const word *)(const void *)in)[0], b = ((const word *)(const void *)in)[1];
            word c = ((const word *)(const void *)in)[2], d = ((const word *)(const void *)in)[3];

            ((word *)(void *)out)[0] = a;
            ((word *)(void *)out)[1] = b;
            ((word *)(void *)out)[2] = c;
            ((word *)(void *)out)[3] = d;
        }
    }
    while (count-- != 0) {
        *out++ = *in++;
    }
    return to;
}

PLAIN void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    word four = (uint8_t)value * 0x01010101u;

    if (aligned(to, to)) {
        for (; count >= 2 * WORD; count -= 2 * WORD, out += 2 * WORD) {
            ((word *)(void *)out)[0] = four;
            ((word *)(void *)out)[1] = four;
        }
    }
    while (count-- != 0) {
        *out++ = (uint8_t)value;
    }
    return to;
}

PLAIN void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if ((uintptr_t)to <= (uintptr_t)from) {
        /* Bytes, since what memcpy loads four words ahead may overlap. */
        while (count-- != 0) {
            *out++ = *in++;
        }
    } else {
        while (count-- != 0) {
            out[count] = in[count];
        }
    }
    return to;
}

void __aeabi_memcpy(void *to, const void *from, size_t count);
void __aeabi_memcpy4(void *to, const void *from, size_t count);
void __aeabi_memcpy8(void *to, const void *from, size_t count);
void __aeabi_memmove(void *to, const void *from, size_t count);
void __aeabi_memmove4(void *to, const void *from, size_t count);
void __aeabi_memset(void *to, size_t count, int value);
void __aeabi_memset4(void *to, size_t count, int value);
void __aeabi_memclr(void *to, size_t count);
void __aeabi_memclr4(void *to, size_t count);
void __aeabi_memclr8(void *to, size_t count);

/* clang-format off */
void __aeabi_memcpy(void *to, const void *from, size_t count) { memcpy(to, from, count); }
void __aeabi_memcpy4(void *to, const void *from, size_t count) { memcpy(to, from, count); }
void __aeabi_memcpy8(void *to, const void *from, size_t count) { memcpy(to, from, count); }
void __aeabi_memmove(void *to, const void *from, size_t count) { memmove(to, from, count); }
void __aeabi_memmove4(void *to, const void *from, size_t count) { memmove(to, from, count); }
void __aeabi_memset(void *to, size_t count, int value) { memset(to, value, count); }
void __aeabi_memset4(void *to, size_t count, int value) { memset(to, value, count); }
void __aeabi_memclr(void *to, size_t count) { memset(to, 0, count); }
void __aeabi_memclr4(void *to, size_t count) { memset(to, 0, count); }
void __aeabi_memclr8(void *to, size_t count) { memset(to, 0, count); }
/* clang-format on */
