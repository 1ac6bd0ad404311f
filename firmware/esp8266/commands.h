/* The commands that come over the serial line, each ended by a newline. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COMMANDS_LINE = 64,
    /* Milliseconds are counted in 32 bits, half of which tell before from after. */
    COMMANDS_MOST_SECONDS = 2147483
};

typedef enum command {
    COMMAND_NONE, /* the line goes on, or is empty */
    COMMAND_TEST,
    COMMAND_START, /* every `seconds` */
    COMMAND_STOP,
    COMMAND_BAD_SECONDS, /* START with none, 0, too many, or something else */
    COMMAND_TOO_LONG,
    COMMAND_UNKNOWN
} command;

typedef struct command_line {
    char text[COMMANDS_LINE + 1]; /* the last line, ended by 0 */
    uint32_t length;              /* of the line that comes in; more than COMMANDS_LINE if it is too long */
    uint32_t seconds;             /* of the last START */
} command_line;

/* A byte has come; the line starts out as zeros. */
command command_byte(command_line *line, char byte);

#ifdef __cplusplus
}
#endif

#endif
