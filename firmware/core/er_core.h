/* The device's side of a session: takes bytes in, answers requests. docs/wire.md says what each kind means.
 *
 * A firmware calls er_core_init once, er_core_bytes with what its UART or socket brings, and er_core_idle whenever
 * nothing has come for 200 ms. Everything else happens inside: er_core_bytes runs the network and writes the answer
 * before it returns. Bytes that come meanwhile must wait in a buffer of the firmware, or on the line. */
#ifndef ER_CORE_H
#define ER_CORE_H

#include <stdint.h>

#include "er_device.h"
#include "er_rx.h"
#include "er_tx.h"

/* What is answered, and to which request. */
typedef struct er_reply {
    uint32_t id;
    uint16_t sequence;
    uint8_t kind;        /* of the request */
    uint8_t flags;       /* MORE for the OK before the answer */
    const char *failure; /* NULL if it succeeded; else the error's code, then its message */
    uint32_t detail;     /* a number about the failure */
} er_reply;

typedef struct er_core {
    er_tx tx;
    const er_device *device;

    /* The last request, so that it can be answered again: all that the answer was made of is still where it was. */
    er_reply last;
    uint8_t greeted;  /* whether there was a HELLO since the start */
    uint8_t repeated; /* whether the frame that comes in is the last request again */
    uint8_t machine;  /* whether STATS was asked for the machine's state too */

    uint32_t waiting; /* samples in the input buffer, brought by DATA */
    uint32_t results; /* samples in the output buffer */
    uint32_t profiled;
    uint32_t inferences;
    uint64_t last_ns;
    uint64_t busy_ns;

    er_rx rx;
} er_core;

void er_core_init(er_core *core, const er_device *device);
void er_core_bytes(er_core *core, const uint8_t *bytes, uint32_t count);
void er_core_idle(er_core *core);

/* Right after er_core_init: sends a HELLO that nobody asked for, so that a host on a serial line learns at once that the
 * device has started. */
void er_core_announce(er_core *core);

#endif
