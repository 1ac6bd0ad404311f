#define _XOPEN_SOURCE 600

#include "line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

int line_open_pty(line *l)
{
    struct termios mode;
    const char *name;

    l->peer = posix_openpt(O_RDWR | O_NOCTTY);
    if (l->peer < 0 || grantpt(l->peer) != 0 || unlockpt(l->peer) != 0 || (name = ptsname(l->peer)) == NULL) {
        return -1;
    }
    l->keeper = open(name, O_RDWR | O_NOCTTY);
    if (l->keeper < 0 || fcntl(l->peer, F_SETFL, O_NONBLOCK) != 0 || tcgetattr(l->keeper, &mode) != 0) {
        return -1;
    }
    /* Raw: every byte goes through as it is. */
    mode.c_iflag = 0;
    mode.c_oflag = 0;
    mode.c_lflag = 0;
    mode.c_cflag |= CS8 | CREAD | CLOCAL;
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    snprintf(l->name, sizeof l->name, "%s", name);
    return tcsetattr(l->keeper, TCSANOW, &mode);
}

int line_open_unix(line *l, const char *path)
{
    struct sockaddr_un address;

    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    snprintf(l->name, sizeof l->name, "%s", path);
    l->listening = socket(AF_UNIX, SOCK_STREAM, 0);
    if (l->listening < 0 || bind(l->listening, (struct sockaddr *)&address, sizeof address) != 0) {
        return -1;
    }
    l->path = path;
    return listen(l->listening, 8);
}

int line_open_tcp(line *l, const char *address)
{
    struct sockaddr_in place;
    socklen_t size = sizeof place;
    char host[64];
    const char *colon = strrchr(address, ':');
    size_t length = colon == NULL ? sizeof host : (size_t)(colon - address);
    int yes = 1;

    memset(&place, 0, sizeof place);
    place.sin_family = AF_INET;
    errno = EINVAL;
    if (length >= sizeof host) {
        return -1;
    }
    memcpy(host, address, length);
    host[length] = 0;
    if (inet_pton(AF_INET, host, &place.sin_addr) != 1) {
        return -1;
    }
    place.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    l->listening = socket(AF_INET, SOCK_STREAM, 0);
    if (l->listening < 0) {
        return -1;
    }
    setsockopt(l->listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(l->listening, (struct sockaddr *)&place, sizeof place) != 0 || listen(l->listening, 8) != 0 ||
        getsockname(l->listening, (struct sockaddr *)&place, &size) != 0) {
        return -1;
    }
    snprintf(l->name, sizeof l->name, "%s:%u", host, (unsigned)ntohs(place.sin_port));
    return 0;
}

static void hang_up(line *l)
{
    close(l->peer);
    l->peer = -1;
    l->out_count = 0;
}

void line_close(line *l)
{
    if (l->peer >= 0) {
        hang_up(l);
    }
    if (l->keeper >= 0) {
        close(l->keeper);
    }
    if (l->listening >= 0) {
        close(l->listening);
    }
    if (l->path != NULL) {
        unlink(l->path);
    }
}

static int greet(line *l)
{
    int yes = 1;

    l->peer = accept(l->listening, NULL, NULL);
    if (l->peer < 0) {
        return LINE_SILENT;
    }
    fcntl(l->peer, F_SETFL, O_NONBLOCK);
    /* Does nothing, and does no harm, on a unix socket. */
    setsockopt(l->peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return LINE_OPENED;
}

int line_wait(line *l, int milliseconds, uint8_t *bytes, size_t size, size_t *count)
{
    struct pollfd waiting = { l->peer >= 0 ? l->peer : l->listening, POLLIN, 0 };
    int ready = poll(&waiting, 1, milliseconds);
    ssize_t got;

    *count = 0;
    if (ready < 0 && errno != EINTR) {
        return LINE_FAILED;
    }
    if (ready <= 0) {
        return LINE_SILENT;
    }
    if (l->peer < 0) {
        return greet(l);
    }
    got = read(l->peer, bytes + 2 * size, size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return LINE_SILENT;
    }
    if (got <= 0) {
        hang_up(l);
        return l->listening >= 0 ? LINE_CLOSED : LINE_FAILED;
    }
    *count = faults_apply(l->faults, bytes + 2 * size, (size_t)got, bytes);
    return LINE_BYTES;
}

static void send_all(line *l, const uint8_t *bytes, size_t count)
{
    while (count != 0 && l->peer >= 0) {
        struct pollfd waiting = { l->peer, POLLOUT, 0 };
        ssize_t sent;

        if (poll(&waiting, 1, PATIENCE_MS) <= 0) {
            break;
        }
        sent = write(l->peer, bytes, count);
        if (sent < 0 && errno != EINTR && errno != EAGAIN) {
            break;
        }
        if (sent > 0) {
            bytes += sent;
            count -= (size_t)sent;
        }
    }
}

void line_flush(line *l)
{
    uint8_t damaged[3 * 1024];
    size_t from, part;

    if (l->faults->drop + l->faults->flip + l->faults->insert + l->faults->repeat <= 0) {
        send_all(l, l->out, l->out_count);
    } else {
        for (from = 0; from < l->out_count; from += part) {
            part = l->out_count - from < 1024 ? l->out_count - from : 1024;
            send_all(l, damaged, faults_apply(l->faults, l->out + from, part, damaged));
        }
    }
    l->out_count = 0;
}

void line_write(line *l, const uint8_t *bytes, size_t count)
{
    while (count != 0) {
        size_t part = sizeof l->out - l->out_count;

        if (part > count) {
            part = count;
        }
        memcpy(l->out + l->out_count, bytes, part);
        l->out_count += part;
        bytes += part;
        count -= part;
        if (l->out_count == sizeof l->out) {
            line_flush(l);
        }
    }
}
