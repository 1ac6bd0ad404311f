/* A RISC-V processor from its reset on, in machine mode without interrupts, and what happens when it can go no further. */
#include "board.h"
#include "processor.h"
#include "riscv.h"

void Reset_Handler(void);
void Fault_Handler(void);
void riscv_note_fault(uint32_t link);

/* Lies first in the image. */
__attribute__((naked, section(".vectors"), used)) void Reset_Handler(void)
{
    __asm__ volatile("la sp, er_stack_top\n"
                     "la t0, Fault_Handler\n" RISCV_CSR("csrw mtvec, t0") "j processor_start\n");
}

/* A stack that ran over cannot hold the handler: it starts a new one. */
__attribute__((naked, aligned(4), used)) void Fault_Handler(void)
{
    __asm__ volatile("mv a0, ra\n"
                     "la sp, er_stack_top\n"
                     "j riscv_note_fault\n");
}

#define READ(name, value) __asm__ volatile(RISCV_CSR("csrr %0, " name) : "=r"(value))

__attribute__((used, noreturn)) void riscv_note_fault(uint32_t link)
{
    processor_fault *kept = &processor_last_fault;

    kept->lr = link;
    READ("mepc", kept->pc);
    READ("mcause", kept->status);
    READ("mtval", kept->address);
    kept->hard = 0;
    kept->magic = FAULT_MAGIC;
    processor_reset();
}

void processor_reset(void)
{
    board_reset();
}
