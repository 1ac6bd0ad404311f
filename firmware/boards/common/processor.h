/* What every processor gives: its start, its end, its stack. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stdint.h>

/* How it moves a register, and what its manual calls what it tells of a crash. */
#if defined(__riscv)
#define PROCESSOR_MOVE "mv"
#define PROCESSOR_LINK " ra "
#define PROCESSOR_STATUS " mcause "
#else
#define PROCESSOR_MOVE "mov"
#define PROCESSOR_LINK " lr "
#define PROCESSOR_STATUS " CFSR "
#endif

/* Lie where the linker script says. */
extern uint32_t er_stack_bottom[], er_stack_top[], er_free[], er_ram_end[];

/* What a crash leaves behind for the next start. */
typedef struct processor_fault {
    uint32_t magic; /* FAULT_MAGIC: the rest is meant */
    uint32_t pc, lr, status, hard, address;
    uint32_t starts; /* since the power came */
    uint32_t starts_check;
} processor_fault;

enum { FAULT_MAGIC = 0x0FA17ED0 };

extern processor_fault processor_last_fault;

/* Where the code after the reset goes as soon as there is a stack. */
void processor_start(void) __attribute__((noreturn));

/* Numbers each start: differs from the last one as long as the power stays. */
uint32_t processor_count_start(void);

void processor_reset(void) __attribute__((noreturn));

/* The most bytes of stack that were in use since the start. */
uint32_t processor_stack_peak(void);

#endif
