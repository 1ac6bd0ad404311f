#include "options.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: %s [--workers N] [--idle SECONDS] ADDRESS:PORT\n"
                            "Answers the digits' protocol. ADDRESS is numeric; port 0 takes a free one.\n";

static void refuse(const char *program)
{
    fprintf(stderr, usage, program);
    exit(2);
}

/* A whole number from `low` to `high`, or -1. */
static long number(const char *text, long low, long high)
{
    char *end;
    long value = strtol(text, &end, 10);

    return *text != 0 && *end == 0 && value >= low && value <= high ? value : -1;
}

static int read_address(struct sockaddr_in *to, const char *text)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : sizeof host;
    long port = colon != NULL ? number(colon + 1, 0, 65535) : -1;

    if (length >= sizeof host || port < 0) {
        return 0;
    }
    memcpy(host, text, length);
    host[length] = 0;
    to->sin_family = AF_INET;
    to->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &to->sin_addr) == 1;
}

void options_read(options *to, int count, char **words)
{
    int i;

    memset(to, 0, sizeof *to);
    to->workers = 1;
    to->idle_seconds = 120;
    for (i = 1; i < count - 1; i += 2) {
        if (i + 2 >= count) {
            refuse(words[0]);
        }
        if (strcmp(words[i], "--workers") == 0) {
            to->workers = number(words[i + 1], 1, 256);
        } else if (strcmp(words[i], "--idle") == 0) {
            to->idle_seconds = number(words[i + 1], 1, 86400);
        } else {
            refuse(words[0]);
        }
    }
    if (i != count - 1 || to->workers < 0 || to->idle_seconds < 0 || !read_address(&to->listen, words[i])) {
        refuse(words[0]);
    }
}
