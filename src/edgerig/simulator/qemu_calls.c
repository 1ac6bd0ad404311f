/* A program for QEMU's Arm boards, and for RISC-V on its machine `virt`, that calls the functions which a script names, and
 * keeps what they make.
 *
 * The script lies at SCRIPT, laid there by QEMU's loader: requests of four words (kind, address, argument, bytes), a POKE
 * followed by its bytes in whole words. Results lie at RESULTS one after the other, and go to a file by semihosting. */
#include <stdint.h>
#include <string.h>

enum { END, CALL, COUNT, POKE, PEEK };

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE = 0x05, SYS_EXIT = 0x18 };

enum { WRITE_BINARY = 5, STOPPED = 0x20026, FAILED = 0x20023 };

typedef struct request {
    uint32_t kind, address, argument, bytes;
} request;

/* Ticks of the processor's counter, and how often it was read until the last one came. */
typedef struct span {
    uint32_t ticks, turns;
} span;

void Reset_Handler(void);
void Fault_Handler(void);
void work(void);

#ifdef __riscv
/* The control registers are an extension of their own. */
#define CSR(instruction) ".option push\n.option arch, +zicsr\n" instruction "\n.option pop\n"

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

static uint32_t retired(void)
{
    uint32_t count;

    __asm__ volatile(CSR("csrr %0, minstret") : "=r"(count) : : "memory");
    return count;
}

/* The processor counts instructions itself, which under -icount is exact. */
__attribute__((noinline)) static span measure(void (*function)(void))
{
    span found = { 0, 0 };
    uint32_t start = retired();

    function();
    found.ticks = retired() - start;
    return found;
}

static void start_counter(void)
{
}

__attribute__((naked, section(".vectors"), used)) void Reset_Handler(void)
{
    __asm__ volatile("la sp, stack_top\n"
                     "la t0, Fault_Handler\n" CSR("csrw mtvec, t0") "j work\n");
}
#else
#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define CPACR REGISTER(0xE000ED88u)

extern unsigned stack_top;

static uintptr_t semihosting(uint32_t operation, const void *argument)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* Counts down. Called right after an edge, and where one is wanted: how often it was read until it changed. */
static uint32_t until_edge(uint32_t *turns)
{
    uint32_t before = SYST_CVR, now, n = 0;

    do {
        n++;
        now = SYST_CVR;
    } while (now == before);
    *turns = n;
    return now;
}

__attribute__((noinline)) static span measure(void (*function)(void))
{
    span found;
    uint32_t unused, start = until_edge(&unused);

    function();
    found.ticks = (start - until_edge(&found.turns)) & 0xFFFFFFu;
    return found;
}

static void start_counter(void)
{
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0;
    SYST_CSR = 5;
}

__attribute__((naked)) void Reset_Handler(void)
{
    __asm__ volatile("ldr r0, =0xE000ED88\n"
                     "ldr r1, [r0]\n"
                     "orr r1, r1, #0xF00000\n"
                     "str r1, [r0]\n"
                     "dsb\n"
                     "isb\n"
                     "b work\n");
}

#define FAULT (void *)Fault_Handler
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, (void *)Reset_Handler, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT,
};
#endif

static void leave(uint32_t reason)
{
    semihosting(SYS_EXIT, (const void *)(uintptr_t)reason);
    for (;;) {}
}

static void nothing(void)
{
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

    start_counter();
    for (;;) {
        request next;

        memcpy(&next, script, sizeof next);
        script += sizeof next / sizeof *script;
        if (next.kind == END) {
            break;
        } else if (next.kind == CALL) {
            answer = ((uintptr_t (*)(uint32_t))(uintptr_t)next.address)(next.argument);
        } else if (next.kind == COUNT) {
            span both[2];

            both[0] = measure(nothing);
            both[1] = measure((void (*)(void))(uintptr_t)next.address);
            memcpy(results, both, sizeof both);
            results += sizeof both;
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
