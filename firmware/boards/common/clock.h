/* The board's ticks as a clock that never runs over, and what they are in nanoseconds. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Must be called more often than board_ticks runs over; the main loop does. */
uint64_t clock_now(void);
uint64_t clock_nanoseconds(uint64_t ticks);

#endif
