#include "connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum { FEW_REPLIES = 2 };

static reply *at(connection *c, uint32_t index)
{
    return &c->replies[(c->head + index) & (c->room - 1)];
}

static int grow(connection *c)
{
    uint32_t room = c->room != 0 ? 2 * c->room : FEW_REPLIES, i;
    reply *replies = malloc(room * sizeof *replies);

    if (replies == NULL) {
        return 0;
    }
    for (i = 0; i < c->count; i++) {
        replies[i] = *at(c, i);
    }
    free(c->replies);
    c->replies = replies;
    c->room = room;
    c->head = 0;
    return 1;
}

reply *connection_expect(connection *c, reply_state state)
{
    reply *expected;

    if (c->count == c->room && !grow(c)) {
        return NULL;
    }
    expected = at(c, c->count);
    c->count++;
    expected->state = (uint8_t)state;
    c->awaited += state == REPLY_AWAITED;
    return expected;
}

reply *connection_reply(connection *c, uint32_t sequence)
{
    uint32_t index = sequence - c->first;

    return index < c->count && at(c, index)->state == REPLY_AWAITED ? at(c, index) : NULL;
}

size_t connection_take(connection *c, uint8_t *to, size_t room, const uint8_t *stats)
{
    size_t taken = 0;

    while (c->count != 0 && at(c, 0)->state != REPLY_AWAITED && taken + DIGITS_REPLY <= room) {
        const reply *next = at(c, 0);

        if (next->state == REPLY_NONE) {
            c->ending = c->refused = 1;
            c->first += c->count;
            c->count = c->awaited = 0;
            break;
        }
        if (next->state == REPLY_STATS) {
            memcpy(to + taken, stats, DIGITS_STATS_REPLY);
            taken += DIGITS_STATS_REPLY;
        } else {
            memcpy(to + taken, next->bytes, DIGITS_REPLY);
            taken += DIGITS_REPLY;
        }
        c->head = (c->head + 1) & (c->room - 1);
        c->first++;
        c->count--;
    }
    return taken;
}

/* How many bytes went out, or -1 if the client is gone. */
static ssize_t put(int socket, const uint8_t *bytes, size_t count)
{
    ssize_t sent = send(socket, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);

    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : sent;
}

static int keep_unsent(connection *c, const uint8_t *bytes, size_t count)
{
    uint8_t *unsent = malloc(c->unsent_count - c->unsent_at + count);

    if (unsent == NULL) {
        return 0;
    }
    if (c->unsent != NULL) {
        memcpy(unsent, c->unsent + c->unsent_at, c->unsent_count - c->unsent_at);
    }
    memcpy(unsent + (c->unsent_count - c->unsent_at), bytes, count);
    free(c->unsent);
    c->unsent = unsent;
    c->unsent_count += count - c->unsent_at;
    c->unsent_at = 0;
    return 1;
}

int connection_send(connection *c, const uint8_t *bytes, size_t count)
{
    ssize_t sent = 0;

    if (c->unsent == NULL) {
        sent = put(c->socket, bytes, count);
        if (sent < 0) {
            return 0;
        }
    }
    return (size_t)sent == count || keep_unsent(c, bytes + sent, count - (size_t)sent);
}

int connection_send_rest(connection *c)
{
    ssize_t sent;

    if (c->unsent == NULL) {
        return 1;
    }
    sent = put(c->socket, c->unsent + c->unsent_at, c->unsent_count - c->unsent_at);
    if (sent < 0) {
        return 0;
    }
    c->unsent_at += (size_t)sent;
    if (c->unsent_at == c->unsent_count) {
        free(c->unsent);
        c->unsent = NULL;
        c->unsent_at = c->unsent_count = 0;
    }
    return 1;
}

int connection_keep(connection *c, const uint8_t *bytes, uint32_t count)
{
    if (count != 0 && c->partial == NULL) {
        c->partial = malloc(DIGITS_LIMIT);
        if (c->partial == NULL) {
            return 0;
        }
    }
    if (count != 0) {
        memcpy(c->partial, bytes, count);
    } else {
        free(c->partial);
        c->partial = NULL;
    }
    c->partial_count = count;
    return 1;
}

int connection_in_flight(const connection *c)
{
    int count = 0;

    return ioctl(c->socket, SIOCOUTQ, &count) == 0 ? count : 0;
}

int connection_takes(connection *c)
{
    int before = c->in_flight;

    c->in_flight = connection_in_flight(c);
    return c->in_flight < before;
}

void connection_free(connection *c)
{
    free(c->partial);
    free(c->replies);
    free(c->unsent);
    free(c);
}
