/* Start of a program on the emulated lx106, and what it writes and how it ends: by QEMU's simcall. */
#include "host.h"

enum { SIMCALL_EXIT = 1, SIMCALL_WRITE = 4, STANDARD_OUTPUT = 1 };

__asm__(".section .text.start, \"ax\"\n"
        ".global _start\n"
        "_start: j begin\n"
        ".align 4\n"
        ".literal_position\n"
        "begin: movi a1, stack_top\n"
        "movi a0, 0\n"
        "call0 main\n"
        "mov a3, a2\n"
        "movi a2, 1\n"
        "simcall\n");

static int simcall(int number, int first, int second, int third)
{
    register int a2 __asm__("a2") = number;
    register int a3 __asm__("a3") = first;
    register int a4 __asm__("a4") = second;
    register int a5 __asm__("a5") = third;

    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
    return a2;
}

void host_write(const char *text, uint32_t count)
{
    simcall(SIMCALL_WRITE, STANDARD_OUTPUT, (int)(uintptr_t)text, (int)count);
}

/* Division, which an ESP8266 has in its ROM and the compiler's library therefore lacks. */
static uint32_t divide(uint32_t number, uint32_t by, uint32_t *rest)
{
    uint32_t quotient = 0, left = 0, bit;

    for (bit = 32; bit != 0; bit--) {
        left = left << 1 | (number >> (bit - 1) & 1u);
        quotient <<= 1;
        if (left >= by) {
            left -= by;
            quotient |= 1u;
        }
    }
    *rest = left;
    return quotient;
}

uint32_t __udivsi3(uint32_t number, uint32_t by);
uint32_t __umodsi3(uint32_t number, uint32_t by);

uint32_t __udivsi3(uint32_t number, uint32_t by)
{
    uint32_t rest;

    return divide(number, by, &rest);
}

uint32_t __umodsi3(uint32_t number, uint32_t by)
{
    uint32_t rest;

    divide(number, by, &rest);
    return rest;
}
