#include "digits_server.h"

#include <stddef.h>
#include <string.h>

void digits_server_init(digits_server *server, const digits_host *host, void *context)
{
    server->host = host;
    server->context = context;
    digits_server_idle(server);
}

void digits_server_idle(digits_server *server)
{
    server->count = 0;
    server->deaf = 0;
}

/* Answers the request that lies at the start of the buffer. Returns NULL, or why there is no answer. */
static const char *answer(digits_server *server, const digits_message *message)
{
    const digits_host *host = server->host;
    float outputs[DIGITS_OUTPUTS], ms;
    uint8_t reply[DIGITS_REPLY];
    digits_message sent;
    const char *wrong;
    uint32_t size;

    if (message->command == DIGITS_GET_STATS) {
        host->write(server->context, reply, digits_write_stats(reply, host->version, host->freq_hz, host->mode));
        return NULL;
    }
    ms = host->infer(server->context, (const uint8_t *)server->buffer, message->pixels_at, outputs);
    size = digits_write_reply(reply, outputs, ms, DIGITS_OUTPUTS);
    /* A network may make outputs that are not finite; no client would take them. */
    wrong = digits_check_reply(&sent, reply, size);
    if (wrong == NULL) {
        host->write(server->context, reply, size);
    }
    return wrong;
}

static const char *fail(digits_server *server, const char *wrong)
{
    server->deaf = 1;
    server->count = 0;
    return wrong;
}

/* Answers the requests in the buffer that are whole. */
static const char *answer_all(digits_server *server)
{
    uint8_t *buffer = (uint8_t *)server->buffer;
    digits_message message;
    const char *wrong;

    while (server->count != 0) {
        switch (digits_read(&message, buffer, server->count)) {
        case DIGITS_MORE:
            return server->count == DIGITS_ROOM ? fail(server, "the request is too long") : NULL;
        case DIGITS_WRONG:
            return fail(server, "the bytes are no message");
        default:
            break;
        }
        wrong = digits_check_request(&message, buffer, message.length);
        if (wrong != NULL) {
            return fail(server, wrong);
        }
        wrong = answer(server, &message);
        if (wrong != NULL) {
            return fail(server, wrong);
        }
        server->count -= message.length;
        memmove(buffer, buffer + message.length, server->count);
    }
    return NULL;
}

const char *digits_server_bytes(digits_server *server, const uint8_t *bytes, uint32_t count)
{
    const char *wrong = NULL;

    while (count != 0 && !server->deaf) {
        uint32_t part = DIGITS_ROOM - server->count;

        part = count < part ? count : part;
        memcpy((uint8_t *)server->buffer + server->count, bytes, part);
        server->count += part;
        bytes += part;
        count -= part;
        wrong = answer_all(server);
    }
    return wrong;
}
