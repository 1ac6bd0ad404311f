/* What qemu_calls.c is to Arm's boards, for RISC-V on QEMU's machine `virt`: calls the functions which a script names.
 *
 * Instructions are counted by the processor's own counter, which under -icount is exact. */
#include <stdint.h>
#include <string.h>

enum { END, CALL, COUNT, POKE, PEEK };

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE = 0x05, SYS_EXIT = 0x18 };

enum { WRITE_BINARY = 5, STOPPED = 0x20026, FAILED = 0x20023 };

/* The control registers are an extension of their own. */
#define CSR(instruction) ".option push\n.option arch, +zicsr\n" instruction "\n.option pop\n"

typedef struct request {
    uint32_t kind, address, argument, bytes;
} request;

void Reset_Handler(void);
void Fault_Handler(void);
void work(void);

static uintptr_t semihosting(uint32_t operation, const void *argument)
{
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;

    __asm__ volatile(".balign 16\n"
                     ".option push\n"
                     ".option norvc\n"
                     "slli x0, x0, 0x1f\n"
                     "ebreak\n"
                     "srai x0, x0, 7\n"
                     ".option pop\n"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return a0;
}

static void leave(uint32_t reason)
{
    semihosting(SYS_EXIT, (const void *)(uintptr_t)reason);
    for (;;) {}
}

static uint32_t retired(void)
{
    uint32_t count;

    __asm__ volatile(CSR("csrr %0, minstret") : "=r"(count) : : "memory");
    return count;
}

__attribute__((noinline)) static uint32_t measure(void (*function)(void))
{
    uint32_t start = retired();

    function();
    return retired() - start;
}

static void nothing(void)
{
}

__attribute__((naked, section(".vectors"), used)) void Reset_Handler(void)
{
    __asm__ volatile("la sp, stack_top\n"
                     "la t0, Fault_Handler\n" CSR("csrw mtvec, t0") "j work\n");
}

__attribute__((aligned(4))) void Fault_Handler(void)
{
    leave(FAILED);
}

__attribute__((used)) void work(void)
{
    const uint32_t *script = (const uint32_t *)SCRIPT;
    uint8_t *results = (uint8_t *)RESULTS;
    uintptr_t answer = 0;
    static const char name[] = "results.bin";
    uintptr_t open[3] = { (uintptr_t)name, WRITE_BINARY, sizeof name - 1 }, file;

    for (;;) {
        request next;

        memcpy(&next, script, sizeof next);
        script += sizeof next / sizeof *script;
        if (next.kind == END) {
            break;
        } else if (next.kind == CALL) {
            answer = ((uintptr_t (*)(uint32_t))(uintptr_t)next.address)(next.argument);
        } else if (next.kind == COUNT) {
            uint32_t spans[4] = { 0, 0, 0, 0 };

            spans[0] = measure(nothing);
            spans[2] = measure((void (*)(void))(uintptr_t)next.address);
            memcpy(results, spans, sizeof spans);
            results += sizeof spans;
        } else if (next.kind == POKE) {
            memcpy((void *)answer, script, next.bytes);
            script += (next.bytes + 3) / 4;
        } else {
            memcpy(results, (const void *)(next.address ? next.address : answer), next.bytes);
            results += next.bytes;
        }
    }
    file = semihosting(SYS_OPEN, open);
    {
        uintptr_t write[3] = { file, RESULTS, (uintptr_t)results - RESULTS };

        semihosting(SYS_WRITE, write);
        semihosting(SYS_CLOSE, write);
    }
    leave(STOPPED);
}
