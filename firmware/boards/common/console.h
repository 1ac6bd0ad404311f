/* The console for people: lines such as CMD=1, answered in text. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

/* A byte that came in on the console. Runs the command when it ends a line. */
void console_byte(uint8_t byte);

/* Says what firmware this is. */
void console_greet(void);

#endif
