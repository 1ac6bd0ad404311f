/* Where the device is spoken to: a pseudo-terminal, a unix socket or a TCP port; one peer at a time. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

#include "faults.h"

typedef struct line {
    int listening; /* a socket; -1 for a pseudo-terminal */
    int peer;      /* -1 while nobody is there */
    int keeper;    /* our own end of the terminal, so that it stays when the host closes its */
    char name[256];
    const char *path; /* of the unix socket, removed at the end */
    faults *faults;
    uint8_t out[65536];
    size_t out_count;
} line;

enum { LINE_BYTES, LINE_SILENT, LINE_OPENED, LINE_CLOSED, LINE_FAILED };

/* These return 0, or -1 with errno set. */
int line_open_pty(line *l);
int line_open_unix(line *l, const char *path);
int line_open_tcp(line *l, const char *address);
void line_close(line *l);

/* Waits for something to happen. `bytes` has room for 3 * size, of which no more than `size` are read at once. */
int line_wait(line *l, int milliseconds, uint8_t *bytes, size_t size, size_t *count);

/* Collects bytes; sends them. What a peer does not take within seconds is dropped. */
void line_write(line *l, const uint8_t *bytes, size_t count);
void line_flush(line *l);

#endif
