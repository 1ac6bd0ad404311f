/* What the sketch uses of Arduino's core, for Linux: the serial line is a pseudo-terminal. */
#ifndef NATIVE_ARDUINO_H
#define NATIVE_ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string>

#ifndef F_CPU
#define F_CPU 160000000L
#endif

uint32_t millis();
void delay(uint32_t ms);

class String
{
  public:
    explicit String(const std::string &text) : text_(text)
    {
    }
    const char *c_str() const
    {
        return text_.c_str();
    }

  private:
    std::string text_;
};

/* Where nobody reads, bytes are lost, as on a UART. */
class HardwareSerial
{
  public:
    void begin(unsigned long baud);
    int available();
    int read();
    size_t print(const char *text);
    size_t println(const char *text);

  private:
    int line_ = -1;
};

class EspClass
{
  public:
    uint32_t getCycleCount();
    uint8_t getCpuFreqMHz();
};

extern HardwareSerial Serial;
extern EspClass ESP;

void setup();
void loop();

/* The server of this run: DIGITS_SERVER_IP and DIGITS_SERVER_PORT in the environment. */
const char *native_server_ip();
uint16_t native_server_port();
/* How many clients have a socket. */
extern int native_connections;

#endif
