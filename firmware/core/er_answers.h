/* What stands in the answers. */
#ifndef ER_ANSWERS_H
#define ER_ANSWERS_H

#include "er_core.h"

/* Error codes of docs/wire.md that a device uses, as the first byte of a failure. */
#define ER_BAD_FRAME "\x03"
#define ER_UNSUPPORTED "\x04"
#define ER_OUT_OF_SEQUENCE "\x05"
#define ER_INCOMPATIBLE "\x15"
#define ER_INFERENCE "\x1B"

/* Sends the answer to a request. */
void er_answer(er_core *core, const er_reply *reply);

#endif
