/* From the first instruction to main: the same on every processor. */
#include "board.h"
#include "build_config.h"
#include "processor.h"

enum { PAINT = 0x5AA5C33C, CLEARANCE = 64 };

extern uint32_t er_data_from[], er_data_begin[], er_data_end[], er_bss_begin[], er_bss_end[];

int main(void);

/* Keeps its value over a reset. */
processor_fault processor_last_fault __attribute__((section(".noinit")));

__attribute__((noinline)) static uint32_t *stack_pointer(void)
{
    uint32_t *here;

    __asm__ volatile(PROCESSOR_MOVE " %0, sp" : "=r"(here));
    return here;
}

static void paint_stack(void)
{
    uint32_t *end = stack_pointer() - CLEARANCE / sizeof(uint32_t), *word;

    for (word = er_stack_bottom; word < end; word++) {
        *(volatile uint32_t *)word = PAINT;
    }
}

__attribute__((used, noreturn)) void processor_start(void)
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
    processor_reset();
}

uint32_t processor_stack_peak(void)
{
    const uint32_t *word = er_stack_bottom;

    while (word < er_stack_top && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)er_stack_top - (uintptr_t)word);
}

uint32_t processor_count_start(void)
{
    processor_fault *kept = &processor_last_fault;

    if (kept->starts_check != ~kept->starts) {
        /* The power was off: whatever lies in memory may serve as a number that nobody has seen. */
        kept->magic = 0;
        kept->starts = (kept->starts ^ kept->starts_check ^ BOARD_BOOT_SEED) | 1u;
    }
    kept->starts++;
    kept->starts_check = ~kept->starts;
    return kept->starts;
}
