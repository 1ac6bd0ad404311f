/* The server's side of the digits' protocol: takes bytes as they come, has the network run, writes replies. Messages may
 * follow one another without waiting for replies where the line holds them meanwhile. */
#ifndef DIGITS_SERVER_H
#define DIGITS_SERVER_H

#include "digits.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the longest request that is taken, from whichever writer: 3184 is the largest that is known. */
enum { DIGITS_ROOM = 3264 };

typedef struct digits_host {
    /* Runs the network on the pixels at offset `at` of `bytes`; returns the milliseconds that the network itself took. */
    float (*infer)(void *context, const uint8_t *bytes, uint32_t at, float *outputs);
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);
    uint32_t freq_hz; /* of the processor; 0 if unknown */
    uint8_t version;
    int8_t mode;
} digits_host;

typedef struct digits_server {
    const digits_host *host;
    void *context;
    uint32_t count; /* bytes in the buffer */
    uint32_t deaf;  /* after bytes that are no request: until the line falls silent */
    uint32_t buffer[DIGITS_ROOM / 4];
} digits_server;

void digits_server_init(digits_server *server, const digits_host *host, void *context);

/* Bytes have come. Returns NULL, or what is wrong with them: no later byte counts until the line falls silent, since
 * nothing says where another request begins. */
const char *digits_server_bytes(digits_server *server, const uint8_t *bytes, uint32_t count);

/* The line has been silent: what has come of a request is not going to be finished. */
void digits_server_idle(digits_server *server);

#ifdef __cplusplus
}
#endif

#endif
