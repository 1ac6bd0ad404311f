/* A Cortex-M from its reset on, and what happens when it can go no further. */
#include "board.h"
#include "cortex_m.h"

void Reset_Handler(void);
void Fault_Handler(void);
void SysTick_Handler(void);
void cortex_note_fault(const uint32_t *frame);

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
        "b processor_start\n");
}

void processor_reset(void)
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
    processor_fault *kept = &processor_last_fault;
    int readable = (uintptr_t)frame >= (uintptr_t)er_stack_bottom && (uintptr_t)(frame + 8) <= (uintptr_t)er_ram_end;

    kept->lr = readable ? frame[5] : 0;
    kept->pc = readable ? frame[6] : 0;
    kept->status = REGISTER(SCB_CFSR);
    kept->hard = REGISTER(SCB_HFSR);
    kept->address = (kept->status & 0x8000u) != 0 ? REGISTER(SCB_BFAR) : REGISTER(SCB_MMFAR);
    kept->magic = FAULT_MAGIC;
    processor_reset();
}
