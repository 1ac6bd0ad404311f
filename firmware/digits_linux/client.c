#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* One turn reads so many bytes; the replies to as many requests for statistics have room. */
enum { CHUNK = 4096, REPLIES = (CHUNK + DIGITS_ROOM) / DIGITS_STATS_REQUEST * DIGITS_STATS_REPLY };

/* Replies of this turn. There is one turn at a time. */
static uint8_t replies[REPLIES];
static size_t reply_count;

void client_start(client *c, int socket, const digits_host *host, int64_t now)
{
    c->socket = socket;
    c->ended = c->refused = 0;
    c->since = now;
    c->left = NULL;
    c->left_at = c->left_count = 0;
    digits_server_init(&c->server, host, c);
}

void client_write(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    if (count <= sizeof replies - reply_count) {
        memcpy(replies + reply_count, bytes, count);
        reply_count += count;
    }
}

void client_end(client *c)
{
    close(c->socket);
    free(c->left);
}

/* Sends; how many bytes went out, or -1 if the client is gone. */
static ssize_t put(int socket, const uint8_t *bytes, size_t count)
{
    ssize_t sent = send(socket, bytes, count, MSG_NOSIGNAL);

    return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

/* All replies are out. Who sent what is no request learns that there are no more; the rest of what it sends is read and
 * thrown away, since closing before would take back replies that it has not read. */
static client_state all_out(client *c)
{
    if (c->refused) {
        shutdown(c->socket, SHUT_WR);
    }
    return c->ended ? CLIENT_DONE : CLIENT_READS;
}

/* Sends what was left. */
static client_state flush(client *c, int64_t now)
{
    ssize_t sent = put(c->socket, c->left + c->left_at, c->left_count - c->left_at);

    if (sent < 0) {
        return CLIENT_DONE;
    }
    c->left_at += (size_t)sent;
    c->since = sent > 0 ? now : c->since;
    if (c->left_at < c->left_count) {
        return CLIENT_WRITES;
    }
    free(c->left);
    c->left = NULL;
    return all_out(c);
}

/* Sends this turn's replies, and keeps what does not go out. */
static client_state send_replies(client *c)
{
    ssize_t sent = reply_count != 0 ? put(c->socket, replies, reply_count) : 0;
    size_t left;

    if (sent < 0) {
        return CLIENT_DONE;
    }
    left = reply_count - (size_t)sent;
    if (left == 0) {
        return all_out(c);
    }
    c->left = malloc(left);
    if (c->left == NULL) {
        return CLIENT_DONE;
    }
    memcpy(c->left, replies + sent, left);
    c->left_at = 0;
    c->left_count = left;
    return CLIENT_WRITES;
}

client_state client_turn(client *c, int64_t now)
{
    uint8_t bytes[CHUNK];
    ssize_t count;

    if (c->left != NULL) {
        client_state state = flush(c, now);

        if (state != CLIENT_READS) {
            return state;
        }
    }
    count = recv(c->socket, bytes, sizeof bytes, 0);
    if (count < 0) {
        return errno == EAGAIN || errno == EINTR ? CLIENT_READS : CLIENT_DONE;
    }
    reply_count = 0;
    if (count == 0) {
        c->ended = 1;
    } else if (c->refused) {
        return CLIENT_READS;
    } else {
        c->since = now;
        c->refused = digits_server_bytes(&c->server, bytes, (uint32_t)count) != NULL;
    }
    return send_replies(c);
}
