/* From reset to main, and what happens when the processor can go no further. */
#include "board.h"
#include "build_config.h"
#include "cortex_m.h"

enum { PAINT = 0x5AA5C33C, CLEARANCE = 64 };

extern uint32_t er_data_from[], er_data_begin[], er_data_end[], er_bss_begin[], er_bss_end[];

int main(void);
void Reset_Handler(void);
void Fault_Handler(void);
void SysTick_Handler(void);
void cortex_start(void);
void cortex_note_fault(const uint32_t *frame);

/* Keeps its value over a reset. */
cortex_fault cortex_last_fault __attribute__((section(".noinit")));

typedef void (*const vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector handlers[15];
} vectors = {
    er_stack_top,
    { Reset_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler,
      Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler,
      SysTick_Handler },
};

/* In assembly, since a compiler may use the FPU anywhere, and it is off until here. */
__attribute__((naked)) void Reset_Handler(void)
{
    __asm__ volatile(
#if BOARD_HAS_FPU
        "ldr r0, =0xE000ED88\n"
        "ldr r1, [r0]\n"
        "orr r1, r1, #0xF00000\n"
        "str r1, [r0]\n"
        "dsb\n"
        "isb\n"
#endif
        "b cortex_start\n");
}

__attribute__((noinline)) static uint32_t *stack_pointer(void)
{
    uint32_t *here;

    __asm__ volatile("mov %0, sp" : "=r"(here));
    return here;
}

static void paint_stack(void)
{
    uint32_t *end = stack_pointer() - CLEARANCE / sizeof(uint32_t), *word;

    for (word = er_stack_bottom; word < end; word++) {
        *(volatile uint32_t *)word = PAINT;
    }
}

__attribute__((used, noreturn)) void cortex_start(void)
{
    const uint32_t *from = er_data_from;
    uint32_t *to;

    paint_stack();
    for (to = er_data_begin; to < er_data_end; to++) {
        *(volatile uint32_t *)to = *from++;
    }
    for (to = er_bss_begin; to < er_bss_end; to++) {
        *(volatile uint32_t *)to = 0;
    }
    main();
    cortex_reset();
}

uint32_t cortex_stack_peak(void)
{
    const uint32_t *word = er_stack_bottom;

    while (word < er_stack_top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)er_stack_top - (uintptr_t)word);
}

uint32_t cortex_count_start(void)
{
    cortex_fault *kept = &cortex_last_fault;

    if (kept->starts_check != ~kept->starts) {
        /* The power was off: whatever lies in memory may serve as a number that nobody has seen. */
        kept->magic = 0;
        kept->starts = (kept->starts ^ kept->starts_check ^ BOARD_BOOT_SEED) | 1u;
    }
    kept->starts++;
    kept->starts_check = ~kept->starts;
    return kept->starts;
}

void cortex_reset(void)
{
    REGISTER(SCB_AIRCR) = 0x05FA0004u;
    for (;;) {
        __asm__ volatile("dsb");
    }
}

/* A stack that ran over cannot hold the handler: it starts a new one. */
__attribute__((naked)) void Fault_Handler(void)
{
    __asm__ volatile("mov r0, sp\n"
                     "ldr r1, =er_stack_top\n"
                     "mov sp, r1\n"
                     "b cortex_note_fault\n");
}

__attribute__((used, noreturn)) void cortex_note_fault(const uint32_t *frame)
{
    cortex_fault *kept = &cortex_last_fault;
    int readable = (uintptr_t)frame >= (uintptr_t)er_stack_bottom && (uintptr_t)(frame + 8) <= (uintptr_t)er_ram_end;

    kept->lr = readable ? frame[5] : 0;
    kept->pc = readable ? frame[6] : 0;
    kept->status = REGISTER(SCB_CFSR);
    kept->hard = REGISTER(SCB_HFSR);
    kept->address = (kept->status & 0x8000u) != 0 ? REGISTER(SCB_BFAR) : REGISTER(SCB_MMFAR);
    kept->magic = FAULT_MAGIC;
    cortex_reset();
}
