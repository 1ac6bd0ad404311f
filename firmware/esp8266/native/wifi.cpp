#include "ESP8266WiFi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

WiFiClass WiFi;

wl_status_t WiFiClass::status()
{
    return getenv("NATIVE_NO_WIFI") != NULL ? WL_DISCONNECTED : WL_CONNECTED;
}

bool WiFiClient::wait(short events)
{
    struct pollfd ready = { socket_, events, 0 };

    return poll(&ready, 1, timeout_) == 1;
}

int WiFiClient::connect(const char *host, uint16_t port)
{
    struct sockaddr_in address = {};
    int failure = 0;
    socklen_t size = sizeof failure;

    stop();
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    native_connections += socket_ >= 0;
    if (socket_ < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        stop();
        return 0;
    }
    if (::connect(socket_, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        stop();
        return 0;
    }
    if (!wait(POLLOUT) || getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0) {
        stop();
        return 0;
    }
    return 1;
}

void WiFiClient::setNoDelay(bool on)
{
    int value = on;

    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value);
}

size_t WiFiClient::write(const uint8_t *bytes, size_t count)
{
    size_t sent = 0;

    while (sent < count) {
        ssize_t taken = send(socket_, bytes + sent, count - sent, MSG_NOSIGNAL);

        if (taken > 0) {
            sent += (size_t)taken;
        } else if (errno != EAGAIN || !wait(POLLOUT)) {
            break;
        }
    }
    return sent;
}

int WiFiClient::available()
{
    int count = 0;

    return socket_ >= 0 && ioctl(socket_, FIONREAD, &count) == 0 ? count : 0;
}

int WiFiClient::read(uint8_t *to, size_t count)
{
    return (int)recv(socket_, to, count, 0);
}

uint8_t WiFiClient::connected()
{
    uint8_t byte;
    ssize_t peeked = socket_ < 0 ? 0 : recv(socket_, &byte, 1, MSG_PEEK);

    return peeked > 0 || (peeked < 0 && errno == EAGAIN);
}

void WiFiClient::stop()
{
    if (socket_ >= 0) {
        close(socket_);
        native_connections--;
    }
    socket_ = -1;
}
