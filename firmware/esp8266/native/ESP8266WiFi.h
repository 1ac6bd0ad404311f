/* What the sketch uses of the ESP8266's WiFi, for Linux: TCP of this machine. */
#ifndef NATIVE_ESP8266WIFI_H
#define NATIVE_ESP8266WIFI_H

#include "Arduino.h"

enum wl_status_t { WL_IDLE_STATUS, WL_CONNECTED = 3, WL_DISCONNECTED = 7 };
enum WiFiMode_t { WIFI_STA = 1 };

class IPAddress
{
  public:
    String toString() const
    {
        return String("127.0.0.1");
    }
};

class WiFiClass
{
  public:
    void mode(WiFiMode_t)
    {
    }
    void begin(const char *, const char *)
    {
    }
    /* Connected, unless there is NATIVE_NO_WIFI in the environment. */
    wl_status_t status();
    IPAddress localIP()
    {
        return IPAddress();
    }
};

class WiFiClient
{
  public:
    WiFiClient() = default;
    WiFiClient(const WiFiClient &) = delete;
    WiFiClient &operator=(const WiFiClient &) = delete;
    ~WiFiClient()
    {
        stop();
    }
    void setTimeout(unsigned long ms)
    {
        timeout_ = (int)ms;
    }
    void setNoDelay(bool on);
    int connect(const char *host, uint16_t port);
    size_t write(const uint8_t *bytes, size_t count);
    int available();
    int read(uint8_t *to, size_t count);
    /* Also while bytes are here that were not read yet. */
    uint8_t connected();
    void stop();

  private:
    bool wait(short events);
    int socket_ = -1;
    int timeout_ = 5000;
};

extern WiFiClass WiFi;

#endif
