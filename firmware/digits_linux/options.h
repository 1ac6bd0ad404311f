/* What the server is told on its command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <netinet/in.h>

typedef struct options {
    struct sockaddr_in listen;
    long workers;      /* processes */
    long idle_seconds; /* a connection that says nothing for so long is closed */
} options;

/* Prints what is wrong and ends the program with code 2 where something is. */
void options_read(options *to, int count, char **words);

#endif
