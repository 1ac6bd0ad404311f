/* Requests in the bytes of a connection, and the network's inputs that they become. */
#include <math.h>
#include <string.h>

#include "state.h"

/* The float below 0.5: added away from 0 it makes the integer part the nearest integer, halves away from 0. With 0.5
 * itself 0.49999997 would become 1. */
static const float below_half = 0x1.fffffep-2f;

/* Real numbers at a time. */
enum { SOME = DIGITS_PIXELS };

/* By the bits: an exponent of ones is an infinity or no number at all. */
static int all_finite(const uint32_t *bits, uint32_t count)
{
    uint32_t i, bad = 0;

    for (i = 0; i < count; i++) {
        bad |= (bits[i] & 0x7F800000u) == 0x7F800000u;
    }
    return !bad;
}

/* In this order, each step a float: so does `edgerig.datasets.preprocess.quantize_input`, bit for bit. */
static void quantize(uint8_t *to, const float *reals, uint32_t count, const front_input *input)
{
    const float scale = input->scale;
    const float least = (float)(input->least - input->zero_point), most = (float)(input->most - input->zero_point);
    const int32_t zero_point = input->zero_point;
    uint32_t i;

    for (i = 0; i < count; i++) {
        float real = reals[i] / scale;

        real += copysignf(below_half, real);
        real = real < least ? least : real;
        real = real > most ? most : real;
        to[i] = (uint8_t)((int32_t)real + zero_point);
    }
}

int32_t front_quantize(uint8_t *to, const uint8_t *from, uint32_t count, const front_input *input)
{
    uint32_t bits[SOME];
    float reals[SOME];

    while (count != 0) {
        uint32_t some = count < SOME ? count : SOME;

        memcpy(bits, from, some * sizeof *bits);
        if (!all_finite(bits, some)) {
            return 0;
        }
        memcpy(reals, bits, some * sizeof *reals);
        quantize(to, reals, some, input);
        to += some;
        from += some * sizeof *reals;
        count -= some;
    }
    return 1;
}

/* Makes a row of the pixels, which may lie unaligned. Returns 0 if one is not finite. */
static int write_row(uint8_t *to, const uint8_t *pixels, const front_input *input)
{
    uint32_t bits[DIGITS_PIXELS];

    if (input->integers) {
        return front_quantize(to, pixels, DIGITS_PIXELS, input);
    }
    memcpy(bits, pixels, sizeof bits);
    memcpy(to, pixels, sizeof bits);
    return all_finite(bits, DIGITS_PIXELS);
}

/* What is at the start of the bytes: the requests of nearly everybody are told by their first bytes. */
static digits_verdict look_at(digits_message *message, const uint8_t *bytes, uint32_t count)
{
    static uint8_t canonical[DIGITS_REQUEST];
    static const float nothing[DIGITS_PIXELS];

    if (canonical[0] == 0) {
        digits_write_request(canonical, nothing);
    }
    if (count >= DIGITS_REQUEST && memcmp(bytes, canonical, DIGITS_REQUEST_HEAD) == 0) {
        message->length = DIGITS_REQUEST;
        message->command = DIGITS_INFERENCE_INPUT;
        message->pixels_at = DIGITS_REQUEST_HEAD;
        message->pixel_count = DIGITS_PIXELS;
        return DIGITS_WHOLE;
    }
    return digits_read(message, bytes, count);
}

/* Has a sample run. Returns 0 if there is no memory. */
static int enter(front *f, connection *c, sample *s, uint64_t now)
{
    uint32_t refused = !f->reachable ? FRONT_LOST : f->queue.count >= f->settings.queue ? FRONT_OVERLOADED : 0;

    s->place = c->place;
    s->generation = c->generation;
    s->sequence = c->first + c->count;
    s->entered_ns = now;
    if (connection_expect(c, refused ? REPLY_NONE : REPLY_AWAITED) == NULL) {
        queue_drop(&f->queue, s);
        return 0;
    }
    if (refused) {
        tell_kind(f, refused, 0, 0);
        queue_drop(&f->queue, s);
    } else {
        queue_append(&f->queue, s);
    }
    return 1;
}

/* Takes one request. Returns what `requests_take` does, or 1. */
static int32_t take(front *f, connection *c, const uint8_t *bytes, const digits_message *message, uint64_t now)
{
    sample *s;

    if (message->command == DIGITS_GET_STATS) {
        return connection_expect(c, REPLY_STATS) != NULL ? 1 : -2;
    }
    if (message->command != DIGITS_INFERENCE_INPUT || message->pixel_count != DIGITS_PIXELS) {
        return -1;
    }
    s = queue_new(&f->queue);
    if (s == NULL) {
        return -2;
    }
    if (!write_row(s->row, bytes + message->pixels_at, &f->settings.input)) {
        queue_drop(&f->queue, s);
        return -1;
    }
    return enter(f, c, s, now) ? 1 : -2;
}

int32_t requests_take(front *f, connection *c, const uint8_t *bytes, uint32_t count, uint64_t now)
{
    uint64_t start = state_now();
    digits_message message;
    uint32_t taken = 0;
    int32_t result = 1;

    while (taken < count && result == 1) {
        digits_verdict verdict = look_at(&message, bytes + taken, count - taken);

        if (verdict == DIGITS_MORE) {
            break;
        }
        result = verdict == DIGITS_WHOLE ? take(f, c, bytes + taken, &message, now) : -1;
        taken += result == 1 ? message.length : 0;
    }
    f->counts.input_ns += state_now() - start;
    return result == 1 ? (int32_t)taken : result;
}
