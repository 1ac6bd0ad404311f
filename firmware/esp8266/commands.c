#include "commands.h"

#include <string.h>

static const char start[] = "START=";

/* The seconds that a START names, in any number of digits; 0 if it names none that can be. */
static uint32_t seconds_of(const char *digits)
{
    uint32_t seconds = 0;

    if (*digits == 0) {
        return 0;
    }
    for (; *digits != 0; digits++) {
        if (*digits < '0' || *digits > '9') {
            return 0;
        }
        seconds = 10 * seconds + (uint32_t)(*digits - '0');
        if (seconds > COMMANDS_MOST_SECONDS) {
            return 0;
        }
    }
    return seconds;
}

static command parse(command_line *line)
{
    uint32_t seconds;

    if (strcmp(line->text, "TEST") == 0) {
        return COMMAND_TEST;
    }
    if (strcmp(line->text, "STOP") == 0) {
        return COMMAND_STOP;
    }
    if (strncmp(line->text, start, sizeof start - 1) != 0) {
        return COMMAND_UNKNOWN;
    }
    seconds = seconds_of(line->text + sizeof start - 1);
    if (seconds == 0) {
        return COMMAND_BAD_SECONDS;
    }
    line->seconds = seconds;
    return COMMAND_START;
}

command command_byte(command_line *line, char byte)
{
    uint32_t length = line->length;

    if (byte != '\n' && byte != '\r') {
        if (length < COMMANDS_LINE) {
            line->text[length] = byte;
        }
        line->length += length <= COMMANDS_LINE;
        return COMMAND_NONE;
    }
    line->length = 0;
    line->text[length < COMMANDS_LINE ? length : COMMANDS_LINE] = 0;
    if (length > COMMANDS_LINE) {
        return COMMAND_TOO_LONG;
    }
    return length != 0 ? parse(line) : COMMAND_NONE;
}
