/* The receiver: takes bytes as they come, finds frames among them, checks them. Never waits, never allocates. */
#ifndef ER_RX_H
#define ER_RX_H

#include <stdint.h>

#include "er_frame.h"

typedef enum er_verdict {
    ER_GOOD,
    ER_TOO_LONG,    /* the header is longer than ER_MAX_HEADER */
    ER_BAD_VERSION, /* not the version that we speak */
    ER_DAMAGED,     /* the header or the payload does not have its checksum */
    ER_CUT_SHORT    /* the line fell silent in the middle */
} er_verdict;

typedef struct er_rx {
    void *owner;
    /* Called once the header has come whole: where does the payload go? NULL throws it away (its checksum is still
     * checked). The place must hold frame.payload_length bytes; call er_rx_ignore to hear no more of the frame. */
    uint8_t *(*accept)(void *owner);
    /* Called once for every frame whose preamble was good: as soon as it is known to be bad, or when it is whole. */
    void (*judge)(void *owner, er_verdict verdict);

    er_frame frame;   /* the one that is coming in, or came in last */
    uint8_t *to;      /* where the next byte goes; NULL: nowhere */
    uint32_t left;    /* bytes of the current part that are still to come */
    uint32_t crc;     /* of those that have */
    uint32_t skipped; /* bytes that were part of no frame, since er_rx_init */
    uint8_t part;     /* preamble, header or payload */
    uint8_t judged;
    uint32_t header[ER_MAX_HEADER / 4]; /* its header; aligned, to be read in place */
} er_rx;

void er_rx_init(er_rx *rx, void *owner, uint8_t *(*accept)(void *owner), void (*judge)(void *owner, er_verdict));

/* Bytes have come, one or more. Calls `accept` and `judge`, and so everything that a request causes, before it
 * returns. How the bytes are spread over calls makes no difference. */
void er_rx_bytes(er_rx *rx, const uint8_t *bytes, uint32_t count);

/* From `accept`: this frame is dealt with; take in the rest of it and say nothing. */
static inline void er_rx_ignore(er_rx *rx)
{
    rx->judged = 1;
}

/* The line has been silent for longer than a sender ever pauses: a frame that was begun is not going to be finished.
 * Without this call the receiver would take the next frame for the rest of this one. */
void er_rx_idle(er_rx *rx);

#endif
