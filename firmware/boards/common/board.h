/* What every board gives. Its file is boards/<name>/board.c or one that several boards share. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Made from board.toml and the options of the build: names, clock, addresses. What also depends on the network is in build_config.h. */
#include "board_config.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* The lines: the wire to the host, the console for people, and that of the digits' protocol, which only boards have whose
 * BOARD_DIGITS_BASE is not 0. */
typedef enum board_line { BOARD_WIRE, BOARD_CONSOLE, BOARD_DIGITS } board_line;

/* Clock, caches, lines; interrupts stay off but for what the clock needs. */
void board_init(void);

/* The next byte that came in, or -1. Never waits. */
int board_get(board_line line);

/* Waits until the byte can be taken. */
void board_put(board_line line, uint8_t byte);

/* Cycles of the processor's clock, or ticks of the timer named in board.toml; runs over. */
uint32_t board_ticks(void);

/* Pulls the pin that board.toml calls `trigger` low for at least a microsecond; where there is one. */
void board_pull_pin(void);

/* Starts the processor anew. Of boards whose processor is RISC-V, which knows no common way. */
void board_reset(void) __attribute__((noreturn));

/* Why the processor started: "power", "pin", "watchdog", "software"; NULL if the board does not tell. */
const char *board_reset_cause(void);

#endif
