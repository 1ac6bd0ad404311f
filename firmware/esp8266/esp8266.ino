/* Has a digit recognised by a digits server (edgerig digits serve) and prints what it answers.
 *
 * Commands over the serial line, 115200 baud, each ended by a newline:
 *   TEST          one inference
 *   START=<secs>  one every so many seconds
 *   STOP          no more of these
 *
 * The digit that is sent is that of digit.h, the header that the drawing page exports, if it lies beside this file. */
#include <ESP8266WiFi.h>

#include <digits.h>

#include "commands.h"
#include "report.h"

#if __has_include("digit.h")
#include "digit.h"
#define HAS_DIGIT
#endif

/* ---- change these to your network's; they come after the includes, whose headers have names like them */
#ifndef SSID
#define SSID "SSID"
#endif
#ifndef SSID_PASSWD
#define SSID_PASSWD "PASSWORD"
#endif
#ifndef SERVER_IP
#define SERVER_IP "192.168.0.123"
#endif
#ifndef SERVER_PORT
#define SERVER_PORT 32001
#endif

/* Milliseconds after which a server counts as away or as taking nothing, and within which its reply must be whole. */
#ifndef CONNECT_MS
#define CONNECT_MS 5000
#endif
#ifndef REPLY_MS
#define REPLY_MS 5000
#endif
/* The transaction is timed by a counter of 32 bits, which runs over after 26.8 s at 160 MHz. */
#if 2 * CONNECT_MS + REPLY_MS > 25000
#error "to connect, send and receive may take longer than the cycle counter can count"
#endif

static uint8_t request[DIGITS_REQUEST];
static uint8_t reply[256]; /* no reply of any writer is as long */
static digits_message message;
static command_line line;
static uint32_t period_ms, last_ms; /* of START; no period: stopped */
static bool connected;

#ifndef HAS_DIGIT
/* Noise, the same each time. Its outputs mean nothing. */
static float digit[DIGITS_PIXELS];

static void make_digit()
{
    uint32_t state = 1;

    for (float &pixel : digit) {
        state = state * 1664525u + 1013904223u;
        pixel = (float)(state >> 24) / 255.0f;
    }
}
#endif

static void write_line(const char *text)
{
    Serial.println(text);
}

static const char *after_bytes(const char *what, uint32_t count)
{
    static char text[96];

    snprintf(text, sizeof text, "%s after %u bytes of the reply", what, (unsigned)count);
    return text;
}

/* Receives the reply into `message`. Returns NULL, or what is wrong with it. */
static const char *receive(WiFiClient &client)
{
    uint32_t begin = millis(), count = 0;

    while (millis() - begin < REPLY_MS) {
        int here = client.available();

        if (here > 0) {
            size_t room = sizeof reply - count;
            int taken = client.read(reply + count, (size_t)here < room ? (size_t)here : room);

            count += taken > 0 ? (uint32_t)taken : 0;
            if (digits_read(&message, reply, count) != DIGITS_MORE) {
                const char *wrong = digits_check_reply(&message, reply, count);

                if (wrong != NULL) {
                    return wrong;
                }
                return message.command == DIGITS_INFERENCE_OUTPUT ? NULL : "the reply is to another request";
            }
            if (count == sizeof reply) {
                return "the server sends more than a reply takes";
            }
        } else if (!client.connected()) {
            return after_bytes("the server closed the connection", count);
        } else {
            delay(1);
        }
    }
    return after_bytes("the server fell silent", count);
}

/* One request and its reply over a connection of its own. Returns NULL, or what went wrong. */
static const char *transact(uint32_t *ticks)
{
    WiFiClient client;
    uint32_t start = ESP.getCycleCount(), size;
    const char *wrong;

    if (WiFi.status() != WL_CONNECTED) {
        return "WiFi is not connected";
    }
    size = digits_write_request(request, digit);
    client.setTimeout(CONNECT_MS);
    if (!client.connect(SERVER_IP, SERVER_PORT)) {
        return "cannot connect to the server";
    }
    client.setNoDelay(true);
    wrong = client.write(request, size) == size ? receive(client) : "the server does not take the request";
    *ticks = ESP.getCycleCount() - start;
    client.stop();
    return wrong;
}

static void infer()
{
    uint32_t ticks = 0;
    const char *wrong = transact(&ticks);

    if (wrong != NULL) {
        Serial.print("Error: ");
        Serial.println(wrong);
        return;
    }
    /* By the clock that the processor really has, whatever the sketch was built for. */
    report_results(write_line, reply, &message, ticks, ESP.getCpuFreqMHz());
}

static void obey(command what)
{
    switch (what) {
    case COMMAND_TEST:
        Serial.println("Request a single inference...");
        infer();
        break;
    case COMMAND_START:
        period_ms = 1000u * line.seconds;
        last_ms = millis();
        break;
    case COMMAND_STOP:
        period_ms = 0;
        break;
    case COMMAND_BAD_SECONDS:
        Serial.println("Error: START=<secs> takes whole seconds from 1 to 2147483");
        break;
    case COMMAND_TOO_LONG:
        Serial.println("Error: the line is too long");
        break;
    case COMMAND_UNKNOWN:
        Serial.print("Error: no such command: ");
        Serial.print(line.text);
        Serial.println(". There are TEST, START=<secs> and STOP");
        break;
    default:
        break;
    }
}

static void watch_wifi()
{
    bool now = WiFi.status() == WL_CONNECTED;

    if (now == connected) {
        return;
    }
    connected = now;
    if (now) {
        Serial.print("WiFi connected, address ");
        Serial.println(WiFi.localIP().toString().c_str());
    } else {
        Serial.println("WiFi lost");
    }
}

void setup()
{
    Serial.begin(115200);
#ifndef HAS_DIGIT
    make_digit();
#endif
    WiFi.mode(WIFI_STA);
    WiFi.begin(SSID, SSID_PASSWD);
}

void loop()
{
    watch_wifi();
    while (Serial.available() > 0) {
        obey(command_byte(&line, (char)Serial.read()));
    }
    if (period_ms != 0 && millis() - last_ms >= period_ms) {
        last_ms += period_ms;
        infer();
        /* What a slow server made late is left out, not caught up with. */
        if (millis() - last_ms >= period_ms) {
            last_ms = millis();
        }
    }
    delay(1);
}
