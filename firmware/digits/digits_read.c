/* Reads messages of any layout. Offsets between tables lead forward only and the schema is three levels deep, so no
 * message can lead a reader in a circle. */
#include "digits.h"

#include <stddef.h>
#include <string.h>

enum { MOST_FIELDS = 4 };

/* One message that is gone through. The first thing that is not right stays in `verdict`, and from then on every
 * position is 0. */
typedef struct walk {
    const uint8_t *bytes;
    uint32_t count;
    uint32_t end; /* as far as it reaches */
    digits_verdict verdict;
} walk;

static uint32_t u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t u16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static int stop(walk *w, digits_verdict verdict)
{
    if (w->verdict == DIGITS_WHOLE) {
        w->verdict = verdict;
    }
    return 0;
}

/* Whether `length` bytes at `position` are there and aligned. */
static int reach(walk *w, uint32_t position, uint32_t length, uint32_t alignment)
{
    if (w->verdict != DIGITS_WHOLE) {
        return 0;
    }
    if (position > DIGITS_LIMIT || length > DIGITS_LIMIT - position || position % alignment != 0) {
        return stop(w, DIGITS_WRONG);
    }
    if (position + length > w->count) {
        return stop(w, DIGITS_MORE);
    }
    if (position + length > w->end) {
        w->end = position + length;
    }
    return 1;
}

/* Where the offset at `position` leads to. */
static uint32_t indirect(walk *w, uint32_t position)
{
    uint32_t offset;

    if (!reach(w, position, 4, 4)) {
        return 0;
    }
    offset = u32(w->bytes + position);
    if (offset < 4 || offset > DIGITS_LIMIT) {
        stop(w, DIGITS_WRONG);
        return 0;
    }
    return position + offset;
}

static uint32_t field(walk *w, uint32_t table, uint32_t size, uint32_t offset, uint32_t width)
{
    if (offset == 0) {
        return 0;
    }
    if (offset < 4 || offset + width > size || (table + offset) % width != 0) {
        stop(w, DIGITS_WRONG);
        return 0;
    }
    return table + offset;
}

/* Where a table's fields of `widths` bytes lie; 0 for those that it leaves out. One that the schema does not know makes
 * it wrong: where that leads is unknown, and with it where the message ends. */
static int table(walk *w, uint32_t position, const uint8_t *widths, uint32_t fields, uint32_t *at)
{
    uint32_t vtable, vtable_size, size, offset, i;

    memset(at, 0, fields * sizeof *at);
    if (!reach(w, position, 4, 4)) {
        return 0;
    }
    /* Runs over where the vtable would lie before the message; `reach` refuses that too. */
    vtable = position - u32(w->bytes + position);
    if (!reach(w, vtable, 4, 2)) {
        return 0;
    }
    vtable_size = u16(w->bytes + vtable);
    size = u16(w->bytes + vtable + 2);
    if (vtable_size < 4 || vtable_size % 2 != 0 || size < 4) {
        return stop(w, DIGITS_WRONG);
    }
    if (!reach(w, vtable, vtable_size, 2) || !reach(w, position, size, 4)) {
        return 0;
    }
    for (i = 0; i < vtable_size / 2 - 2; i++) {
        offset = u16(w->bytes + vtable + 4 + 2 * i);
        if (i < fields) {
            at[i] = field(w, position, size, offset, widths[i]);
        } else if (offset != 0) {
            return stop(w, DIGITS_WRONG);
        }
    }
    return w->verdict == DIGITS_WHOLE;
}

/* The vector that the field at `position` leads to. */
static void floats(walk *w, uint32_t position, uint32_t *first, uint32_t *count)
{
    uint32_t vector, length;

    if (position == 0) {
        return;
    }
    vector = indirect(w, position);
    if (!reach(w, vector, 4, 4)) {
        return;
    }
    length = u32(w->bytes + vector);
    if (length > DIGITS_LIMIT) {
        stop(w, DIGITS_WRONG);
    } else if (reach(w, vector + 4, 4 * length, 4)) {
        *first = vector + 4;
        *count = length;
    }
}

static int32_t signed_byte(const walk *w, uint32_t position)
{
    return position != 0 ? (int8_t)w->bytes[position] : 0;
}

static void read_stats(walk *w, digits_message *message, uint32_t position)
{
    static const uint8_t widths[] = { 1, 4, 1 };
    uint32_t at[3];

    if (position == 0 || !table(w, indirect(w, position), widths, 3, at)) {
        return;
    }
    message->has_stats = 1;
    message->version = at[0] != 0 ? w->bytes[at[0]] : 0;
    message->freq_hz = at[1] != 0 ? u32(w->bytes + at[1]) : 0;
    message->mode = signed_byte(w, at[2]);
}

static void read_input(walk *w, digits_message *message, uint32_t position)
{
    static const uint8_t widths[] = { 4 };
    uint32_t at[1];

    if (position != 0 && table(w, indirect(w, position), widths, 1, at)) {
        floats(w, at[0], &message->pixels_at, &message->pixel_count);
    }
}

static void read_output(walk *w, digits_message *message, uint32_t position)
{
    static const uint8_t widths[] = { 4, 1, 4 };
    uint32_t at[3];

    if (position == 0 || !table(w, indirect(w, position), widths, 3, at)) {
        return;
    }
    message->output_n = at[1] != 0 ? w->bytes[at[1]] : 0;
    if (at[2] != 0) {
        memcpy(&message->timer_ms, w->bytes + at[2], 4);
    }
    floats(w, at[0], &message->outputs_at, &message->output_count);
}

digits_verdict digits_read(digits_message *message, const uint8_t *bytes, uint32_t count)
{
    static const uint8_t widths[MOST_FIELDS] = { 1, 4, 4, 4 };
    walk w = { bytes, count, 0, DIGITS_WHOLE };
    uint32_t at[MOST_FIELDS];

    memset(message, 0, sizeof *message);
    if (table(&w, indirect(&w, 0), widths, MOST_FIELDS, at)) {
        message->command = signed_byte(&w, at[0]);
        read_stats(&w, message, at[1]);
        read_input(&w, message, at[2]);
        read_output(&w, message, at[3]);
    }
    message->length = w.end;
    return w.verdict;
}

float digits_float(const uint8_t *bytes, uint32_t at, uint32_t index)
{
    float value;

    memcpy(&value, bytes + at + 4 * index, sizeof value);
    return value;
}

/* By the bits: an exponent of ones is an infinity or no number at all. */
static int all_finite(const uint8_t *bytes, uint32_t at, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if ((u32(bytes + at + 4 * i) & 0x7F800000u) == 0x7F800000u) {
            return 0;
        }
    }
    return 1;
}

/* What is wrong with `count` bytes that should be one message, before anybody looks at what is in it. */
static const char *check_whole(digits_message *message, const uint8_t *bytes, uint32_t count)
{
    switch (digits_read(message, bytes, count)) {
    case DIGITS_MORE:
        return "the message is cut";
    case DIGITS_WRONG:
        return "the bytes are no message";
    default:
        return message->length != count ? "more bytes follow the message" : NULL;
    }
}

const char *digits_check_request(digits_message *message, const uint8_t *bytes, uint32_t count)
{
    const char *wrong = check_whole(message, bytes, count);

    if (wrong != NULL || message->command == DIGITS_GET_STATS) {
        return wrong;
    }
    if (message->command != DIGITS_INFERENCE_INPUT) {
        return "the message is no request";
    }
    if (message->pixel_count != DIGITS_PIXELS) {
        return "the digit has not 784 numbers";
    }
    return all_finite(bytes, message->pixels_at, DIGITS_PIXELS) ? NULL : "a number of the digit is not finite";
}

const char *digits_check_reply(digits_message *message, const uint8_t *bytes, uint32_t count)
{
    const char *wrong = check_whole(message, bytes, count);
    uint32_t timer;

    if (wrong != NULL) {
        return wrong;
    }
    if (message->command == DIGITS_GET_STATS) {
        return message->has_stats ? NULL : "the reply has no statistics";
    }
    if (message->command != DIGITS_INFERENCE_OUTPUT) {
        return "the message is no reply";
    }
    if (message->output_count != DIGITS_OUTPUTS) {
        return "the reply has not 10 outputs";
    }
    memcpy(&timer, &message->timer_ms, sizeof timer);
    if ((timer & 0x7F800000u) == 0x7F800000u || message->timer_ms < 0) {
        return "the reply's time cannot be";
    }
    return all_finite(bytes, message->outputs_at, DIGITS_OUTPUTS) ? NULL : "an output is not finite";
}
