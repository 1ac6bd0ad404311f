/* The digits' protocol: FlatBuffers messages by which a client has a drawn digit recognised. The schema is
 * src/edgerig/wire/digits/schema.fbs. No allocation, no library, nothing read outside of what is handed over. The
 * processor must be little endian and its floats IEEE 754. */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DIGITS_PIXELS = 784,
    DIGITS_OUTPUTS = 10,
    /* Bytes of the messages as they are written here. */
    DIGITS_REQUEST_HEAD = 44, /* what stands before the pixels */
    DIGITS_REQUEST = DIGITS_REQUEST_HEAD + 4 * DIGITS_PIXELS,
    DIGITS_STATS_REQUEST = 12,
    DIGITS_REPLY = 96,
    DIGITS_STATS_REPLY = 48,
    /* No message is longer, whoever wrote it. */
    DIGITS_LIMIT = 4096
};

enum { DIGITS_GET_STATS, DIGITS_INFERENCE_INPUT, DIGITS_INFERENCE_OUTPUT };
enum { DIGITS_NO_ACCELERATION, DIGITS_CMSIS_NN };

typedef enum digits_verdict {
    DIGITS_WHOLE, /* a message */
    DIGITS_MORE,  /* more bytes must come */
    DIGITS_WRONG  /* no message begins like this */
} digits_verdict;

/* A message in place: where its parts lie in the bytes that it was read from. Fields that it leaves out are 0. */
typedef struct digits_message {
    uint32_t length; /* bytes that it takes */
    int32_t command;
    uint32_t has_stats;
    uint32_t version;
    uint32_t freq_hz;
    int32_t mode;
    uint32_t pixels_at; /* offset of the first */
    uint32_t pixel_count;
    uint32_t outputs_at;
    uint32_t output_count;
    uint32_t output_n;
    float timer_ms;
} digits_message;

/* Reads the message at the start of `count` bytes, of whichever layout its writer chose. */
digits_verdict digits_read(digits_message *message, const uint8_t *bytes, uint32_t count);

/* Whether all of the `count` bytes are one request, or one reply, with the right number of numbers, all of them finite.
 * Returns NULL, or what is wrong with it in a few words. */
const char *digits_check_request(digits_message *message, const uint8_t *bytes, uint32_t count);
const char *digits_check_reply(digits_message *message, const uint8_t *bytes, uint32_t count);

/* Number `index` of a message's pixels or outputs, which may lie unaligned in memory. */
float digits_float(const uint8_t *bytes, uint32_t at, uint32_t index);

/* Each writes one message, defaults included so that its size is always the same, and returns that size. */
uint32_t digits_write_request(uint8_t *to, const float *pixels);
uint32_t digits_write_stats_request(uint8_t *to);
uint32_t digits_write_reply(uint8_t *to, const float *outputs, float timer_ms, uint8_t output_n);
uint32_t digits_write_stats(uint8_t *to, uint8_t version, uint32_t freq_hz, int8_t mode);

#ifdef __cplusplus
}
#endif

#endif
