/* One connection: requests in, replies out, and what of them the client has not taken yet. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "../digits/digits_server.h"

typedef struct client {
    struct client *previous, *next;
    int socket;
    int ended;      /* it sends no more: closed once all replies are out */
    int refused;    /* it sent what is no request: told so once all replies are out, and heard out */
    int64_t since;  /* when bytes moved last, in seconds */
    uint8_t *left;  /* replies that it has not taken yet; NULL if there are none */
    size_t left_at; /* of these, how many bytes are out */
    size_t left_count;
    digits_server server;
} client;

/* What became of a connection. */
typedef enum client_state {
    CLIENT_READS,  /* waits for requests */
    CLIENT_WRITES, /* replies wait for the client; nothing more is read until it took them */
    CLIENT_DONE    /* to be closed */
} client_state;

void client_start(client *c, int socket, const digits_host *host, int64_t now);

/* Bytes have come, or there is room for replies. */
client_state client_turn(client *c, int64_t now);

/* To be given to `digits_host.write`; its context is the client. */
void client_write(void *context, const uint8_t *bytes, uint32_t count);

void client_end(client *c);

#endif
