#include "er_rx.h"

#include <stddef.h>

#include "er_crc.h"

enum { PREAMBLE, HEADER, PAYLOAD };

static void begin(er_rx *rx, uint8_t part, uint8_t *to, uint32_t length)
{
    rx->part = part;
    rx->to = to;
    rx->left = length;
    rx->crc = 0;
}

static void begin_frame(er_rx *rx)
{
    begin(rx, PREAMBLE, (uint8_t *)&rx->frame, ER_PREAMBLE);
}

void er_rx_init(er_rx *rx, void *owner, uint8_t *(*accept)(void *owner), void (*judge)(void *owner, er_verdict))
{
    rx->owner = owner;
    rx->accept = accept;
    rx->judge = judge;
    rx->skipped = 0;
    rx->judged = 1;
    begin_frame(rx);
}

static void tell(er_rx *rx, er_verdict verdict)
{
    if (!rx->judged) {
        rx->judged = 1;
        rx->judge(rx->owner, verdict);
    }
}

/* Whether a frame might begin with the bytes that we have. */
static int plausible(const er_rx *rx)
{
    uint32_t have = ER_PREAMBLE - rx->left;
    uint32_t unknown = have < 4 ? 32 - 8 * have : 0; /* bits of the sync marker that have not come */

    if (have != 0 && (rx->frame.sync ^ ER_SYNC) << unknown != 0) {
        return 0;
    }
    return rx->left != 0 || er_crc32(0, (const uint8_t *)&rx->frame, ER_COVERED) == rx->frame.crc;
}

/* A frame may begin inside of what looked like one: only the first byte is given up at a time. */
static void find_preamble(er_rx *rx)
{
    uint8_t *byte;

    while (!plausible(rx)) {
        rx->left++;
        rx->skipped++;
        rx->to--;
        for (byte = (uint8_t *)&rx->frame; byte < rx->to; byte++) {
            byte[0] = byte[1];
        }
    }
}

/* The current part is whole: on to the next. */
static void advance(er_rx *rx)
{
    const er_frame *frame = &rx->frame;

    if (rx->part == PREAMBLE) {
        rx->judged = 0;
        begin(rx, HEADER, (uint8_t *)rx->header, frame->header_length);
        if (frame->header_length > ER_MAX_HEADER) {
            rx->to = NULL;
            tell(rx, ER_TOO_LONG);
        } else if (frame->version != ER_VERSION) {
            tell(rx, ER_BAD_VERSION);
        }
    } else if (rx->part == HEADER) {
        if (rx->crc != frame->header_crc) {
            tell(rx, ER_DAMAGED);
        }
        begin(rx, PAYLOAD, NULL, frame->payload_length);
        if (!rx->judged) {
            rx->to = rx->accept(rx->owner);
        }
    } else {
        er_verdict verdict = (frame->flags & ER_CHECKED) != 0 && rx->crc != frame->payload_crc ? ER_DAMAGED : ER_GOOD;

        begin_frame(rx);
        tell(rx, verdict);
    }
}

void er_rx_bytes(er_rx *rx, const uint8_t *bytes, uint32_t count)
{
    uint32_t took, i;

    while (count != 0) {
        took = rx->part == PREAMBLE ? 1 : count < rx->left ? count : rx->left;
        rx->crc = er_crc32(rx->crc, bytes, took);
        if (rx->to != NULL) {
            for (i = 0; i < took; i++) {
                *rx->to++ = bytes[i];
            }
        }
        rx->left -= took;
        bytes += took;
        count -= took;
        if (rx->part == PREAMBLE) {
            find_preamble(rx);
        }
        while (rx->left == 0) {
            advance(rx);
        }
    }
}

void er_rx_idle(er_rx *rx)
{
    if (rx->part == PREAMBLE) {
        rx->skipped += ER_PREAMBLE - rx->left;
    }
    begin_frame(rx);
    tell(rx, ER_CUT_SHORT);
}
