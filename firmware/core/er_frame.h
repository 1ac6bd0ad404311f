/* What a frame is: a preamble of 32 bytes, a header, a payload. docs/wire.md is the specification. */
#ifndef ER_FRAME_H
#define ER_FRAME_H

#include <stdint.h>

/* Tensors travel as they lie in a little-endian memory, and so does the preamble. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The wire is little endian; this processor is not."
#endif

#define ER_SYNC 0x475245A5u /* on the line: A5 45 52 47 */
#define ER_VERSION 1u

/* The longest header that is taken, in bytes. */
#ifndef ER_MAX_HEADER
#define ER_MAX_HEADER 256u
#endif

enum {
    ER_OK = 1,
    ER_ERROR = 2,
    ER_DATA = 3,
    ER_MODEL = 4,
    ER_PROCESS = 5,
    ER_OUTPUT = 6,
    ER_STATS = 7,
    ER_HELLO = 8,
    ER_RUN = 9,
    ER_PROFILE = 10,
    ER_MEMORY = 11,
    ER_IO = 12,
    ER_RESET = 13,
    ER_LOG = 14,
    ER_BEGIN = 16
};

enum { ER_CHECKED = 1, ER_MORE = 2 };

/* The first 32 bytes, as they are sent. */
typedef struct er_frame {
    uint32_t sync;
    uint8_t version;
    uint8_t kind;
    uint16_t flags;
    uint32_t request;
    uint16_t sequence;
    uint16_t header_length;
    uint32_t payload_length;
    uint32_t header_crc;
    uint32_t payload_crc; /* if flag CHECKED */
    uint32_t crc;         /* of the 28 bytes before */
} er_frame;

#define ER_PREAMBLE 32u
#define ER_COVERED 28u

#endif
