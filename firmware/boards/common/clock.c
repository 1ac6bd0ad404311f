#include "clock.h"

#include "board.h"

uint64_t clock_now(void)
{
    static uint32_t last, high;
    uint32_t now = board_ticks();

    if (now < last) {
        high++;
    }
    last = now;
    return (uint64_t)high << 32 | now;
}

/* ticks * 10^9 / BOARD_TICK_HZ without dividing 64 bits: what the division leaves is a fraction of 2^32, and that is
 * multiplied by both halves of `ticks`. */
uint64_t clock_nanoseconds(uint64_t ticks)
{
    const uint64_t whole = UINT64_C(1000000000) / BOARD_TICK_HZ;
    const uint64_t rest = UINT64_C(1000000000) % BOARD_TICK_HZ;
    /* rest / BOARD_TICK_HZ as a fraction of 2^32, worked out by the compiler; rounded to the nearest. */
    const uint64_t fraction = ((rest << 32) + BOARD_TICK_HZ / 2) / BOARD_TICK_HZ;
    uint64_t low = (ticks & 0xFFFFFFFFu) * fraction + 0x80000000u;

    return ticks * whole + (ticks >> 32) * fraction + (low >> 32);
}
