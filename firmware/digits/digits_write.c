#include "digits.h"

#include <string.h>

/* What stands before a message's values: offsets and vtables, the same in every message of its kind. */
static const uint8_t request_head[DIGITS_REQUEST_HEAD] = {
    16, 0, 0, 0, 0, 0, 10, 0, 10, 0, 9, 0, 0, 0, 4, 0, 10, 0, 0,  0, 12, 0,
    0,  0, 0, 1, 6, 0, 8,  0, 4,  0, 6, 0, 0, 0, 4, 0, 0,  0, 16, 3, 0,  0,
};
static const uint8_t stats_request[DIGITS_STATS_REQUEST] = { 8, 0, 0, 0, 4, 0, 4, 0, 4, 0, 0, 0 };
static const uint8_t reply_head[] = {
    16, 0, 0,  0, 12, 0, 10, 0, 9,  0, 0,  0, 0,  0, 4, 0, 12, 0, 0, 0, 16, 0, 0, 0,
    0,  2, 10, 0, 16, 0, 4,  0, 11, 0, 12, 0, 10, 0, 0, 0, 12, 0, 0, 0, 0,  0, 0,
};
static const uint8_t stats_head[] = {
    12, 0, 0,  0, 8,  0, 10, 0, 0, 0, 4, 0, 8,  0, 0, 0, 16, 0, 0, 0,
    0,  0, 10, 0, 16, 0, 15, 0, 8, 0, 7, 0, 10, 0, 0, 0, 0,  0, 0,
};

static uint8_t *append(uint8_t *to, const void *from, uint32_t count)
{
    memcpy(to, from, count);
    return to + count;
}

uint32_t digits_write_request(uint8_t *to, const float *pixels)
{
    to = append(to, request_head, sizeof request_head);
    append(to, pixels, 4 * DIGITS_PIXELS);
    return DIGITS_REQUEST;
}

uint32_t digits_write_stats_request(uint8_t *to)
{
    append(to, stats_request, sizeof stats_request);
    return DIGITS_STATS_REQUEST;
}

uint32_t digits_write_reply(uint8_t *to, const float *outputs, float timer_ms, uint8_t output_n)
{
    const uint32_t count = DIGITS_OUTPUTS;

    to = append(to, reply_head, sizeof reply_head);
    to = append(to, &output_n, sizeof output_n);
    to = append(to, &timer_ms, sizeof timer_ms);
    to = append(to, &count, sizeof count);
    append(to, outputs, 4 * DIGITS_OUTPUTS);
    return DIGITS_REPLY;
}

uint32_t digits_write_stats(uint8_t *to, uint8_t version, uint32_t freq_hz, int8_t mode)
{
    static const uint8_t padding[3] = { 0, 0, 0 };

    to = append(to, stats_head, sizeof stats_head);
    to = append(to, &mode, sizeof mode);
    to = append(to, &freq_hz, sizeof freq_hz);
    to = append(to, padding, sizeof padding);
    append(to, &version, sizeof version);
    return DIGITS_STATS_REPLY;
}
