/* A board as a device of MLPerf Tiny: the console of its protocol, with the network that is built in. */
#ifndef TINY_H
#define TINY_H

#include <stdint.h>

#include "board.h"
#include "console_config.h"

enum { TINY_COMMAND = 80, TINY_LARGEST_SAMPLE = 27648, TINY_PRINTED = 8, TINY_WARM_UP = 10 };

/* What has come of a command on one line. */
typedef struct tiny_line {
    uint32_t length;
    char command[TINY_COMMAND + 1];
} tiny_line;

/* tiny_console.c: commands and what answers them. */

/* A byte of the host on `line`. Runs the command that it ends, and answers there. */
void tiny_byte(board_line line, uint8_t byte);
/* What a device says when it starts, on every line. */
void tiny_boot(void);

/* For the other files: to the line that is being answered. */
void tiny_sink(char byte);
void tiny_put(const char *text);
void tiny_put_number(const char *before, uint32_t number, const char *after);
void tiny_timestamp(void);
/* The next word of a command, or NULL; `*rest` moves behind it. */
char *tiny_word(char **rest);
int tiny_equal(const char *left, const char *right);
/* What C's atoi makes of a word; what does not fit is the largest, or the smallest. */
int32_t tiny_integer(const char *word);

/* tiny_sample.c: the buffer that `db` fills. */

void tiny_db(char *rest);
/* The bytes that have come so far. */
uint8_t *tiny_sample(uint32_t *bytes);

/* tiny_network.c: inferences on it. */

void tiny_infer(int32_t count, int32_t warm_up);
void tiny_results(void);

#endif
