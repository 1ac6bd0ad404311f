/* The sketch as a program of this machine. It prints where its serial line is and runs until SIGTERM or SIGINT.
 *
 * In the environment: NATIVE_TICKS, by how many ticks the cycle counter moves on with each reading instead of running;
 * NATIVE_HASTE, how many times as fast as the world milliseconds pass while no server is waited for: how soon that
 * must answer is told by its clock, too. */
#include "Arduino.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

HardwareSerial Serial;
EspClass ESP;

int native_connections;
static volatile sig_atomic_t stopped;

static void stop(int)
{
    stopped = 1;
}

static uint64_t nanoseconds()
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? strtoull(value, NULL, 10) : otherwise;
}

uint32_t millis()
{
    static uint64_t before = nanoseconds(), passed;
    uint64_t now = nanoseconds();

    passed += (now - before) * (native_connections > 0 ? 1 : setting("NATIVE_HASTE", 1));
    before = now;
    return (uint32_t)(passed / 1000000u);
}

void delay(uint32_t ms)
{
    usleep(1000 * ms);
}

uint32_t EspClass::getCycleCount()
{
    static uint32_t count;
    uint64_t step = setting("NATIVE_TICKS", 0);

    if (step != 0) {
        return count += (uint32_t)step;
    }
    return (uint32_t)(nanoseconds() * (F_CPU / 1000000) / 1000);
}

uint8_t EspClass::getCpuFreqMHz()
{
    return (uint8_t)(F_CPU / 1000000);
}

void HardwareSerial::begin(unsigned long)
{
    struct termios mode;
    const char *name;

    line_ = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (line_ < 0 || grantpt(line_) != 0 || unlockpt(line_) != 0 || (name = ptsname(line_)) == NULL) {
        perror("no pseudo-terminal");
        exit(1);
    }
    /* Held open, so that the line stays when whoever reads it goes. */
    if (open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) < 0 || tcgetattr(line_, &mode) != 0) {
        perror(name);
        exit(1);
    }
    cfmakeraw(&mode);
    tcsetattr(line_, TCSANOW, &mode);
    printf("serial line %s\n", name);
    fflush(stdout);
}

int HardwareSerial::available()
{
    struct pollfd ready = { line_, POLLIN, 0 };

    return poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0;
}

int HardwareSerial::read()
{
    uint8_t byte;

    return ::read(line_, &byte, 1) == 1 ? byte : -1;
}

size_t HardwareSerial::print(const char *text)
{
    ssize_t sent = ::write(line_, text, strlen(text));

    return sent > 0 ? (size_t)sent : 0;
}

size_t HardwareSerial::println(const char *text)
{
    return print((std::string(text) + "\r\n").c_str());
}

const char *native_server_ip()
{
    const char *address = getenv("DIGITS_SERVER_IP");

    return address != NULL ? address : "127.0.0.1";
}

uint16_t native_server_port()
{
    return (uint16_t)setting("DIGITS_SERVER_PORT", 32001);
}

int main()
{
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    setup();
    while (!stopped) {
        loop();
    }
    return 0;
}
