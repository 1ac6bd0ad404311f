/* SysTick as a clock of 32 bits, for boards whose cycle counter stands still or is not there. */
#include "board.h"
#include "cortex_m.h"

enum { RELOAD = 0xFFFFFF };

static volatile uint32_t rounds;

void SysTick_Handler(void);

void SysTick_Handler(void)
{
    rounds++;
}

void cortex_systick_start(void)
{
    rounds = 0;
    REGISTER(SYST_RVR) = RELOAD;
    REGISTER(SYST_CVR) = 0;
    /* On, with interrupt, at the processor's clock. */
    REGISTER(SYST_CSR) = 7;
}

uint32_t cortex_systick_ticks(void)
{
    uint32_t before, now;

    do {
        before = rounds;
        now = RELOAD - REGISTER(SYST_CVR);
    } while (before != rounds);
    return before * (RELOAD + 1u) + now;
}
