/* What a device tells the core about itself and its network, and what the core calls. */
#ifndef ER_DEVICE_H
#define ER_DEVICE_H

#include <stdint.h>

#include "er_tx.h"

/* Several of these are sent as they lie here (er_pack): the order of their fields is not free. */

typedef struct er_tensor {
    const char *name;
    const char *dtype; /* numpy's name: "int8", "float32" */
    er_size rank;
    const er_size *shape; /* batch of 1 included */
    er_word scale;        /* .real; real = scale * (q - zero_point) */
    er_size zero_point;   /* as the 32 bits of a signed number */
    er_size quantized;
    er_size bytes; /* of one sample */
} er_tensor;

typedef struct er_layer {
    const char *name;
    const char *op;
} er_layer;

/* The network that is built in; made by the compiler, kept in flash. */
typedef struct er_network {
    const char *sha256; /* of the file that it was compiled from, 64 hex digits */
    const char *runtime;
    const char *runtime_version;
    const char *invoke_method; /* what lies between the two clock readings of an inference */
    const er_tensor *inputs;
    const er_tensor *outputs;
    const er_layer *layers; /* in order of execution */
    er_size input_count;
    er_size output_count;
    er_size layer_count;
    er_size input_bytes; /* of one sample, all tensors together */
    er_size output_bytes;
} er_network;

typedef struct er_pair {
    const char *name;
    const char *value;
} er_pair;

/* The board, and what its firmware was built with. */
typedef struct er_machine {
    const char *host;
    const char *system;
    const char *architecture;
    const char *cpu;
    er_size memory_bytes; /* 0 if unknown */
    er_size frequency_hz;
    er_size build_count;
    const er_pair *build; /* compiler, flags, FPU .. */
    const char *software; /* name and version of the firmware */
    const char *kind;     /* of the times: "measured", "emulated", "modelled" */
    const char *clock;    /* of the times: "DWT CYCCNT at 216 MHz" */
} er_machine;

typedef struct er_number {
    const char *name;   /* "arena", "stack_peak" */
    const char *method; /* how it was had */
    const char *kind;   /* "measured", "estimated" .. ; NULL: it is not available, and `method` says why */
    er_size bytes;
} er_number;

typedef struct er_device {
    void *context; /* first argument of every call below */
    const er_network *network;
    const er_machine *machine;

    /* Payloads are received right here: tensor after tensor, each with all its samples. */
    uint8_t *input;
    /* And answered from here, laid out likewise. */
    uint8_t *output;
    /* Nanoseconds of each sample; ticks of each layer, or NULL if it has no clock readings: then there is no profile. */
    uint64_t *times;
    uint64_t *layer_ticks;
    er_size max_samples; /* of one request: for so many there is room in `input`, `output` and `times` */
    er_size in_place;    /* input and output share memory, each spoils the other; max_samples must be 1 then */

    er_size boot;            /* 32 bits that differ from start to start: random, or counted in memory that survives */
    const char *reset_cause; /* "power", "watchdog" ..; NULL if unknown */

    const er_number *memory;
    er_size memory_count;

    /* One inference, of the sample that is number `sample` of `count`: see er_at. Returns 0, or what went wrong. Unless
     * `layer_ticks` is NULL it adds to each layer's what that took. */
    int (*run)(void *context, uint32_t sample, uint32_t count, uint64_t *layer_ticks);
    /* Now, in ticks; how many nanoseconds lie between two such readings. */
    uint64_t (*ticks)(void *context);
    uint64_t (*nanoseconds)(void *context, uint64_t ticks);
    /* Sends bytes; returns when they may be overwritten. `bytes` may be NULL if there are none. */
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);

    /* These may be NULL. */
    void (*flush)(void *context);                          /* an answer has been written whole */
    void (*measure_memory)(void *context);                 /* bring `memory` up to date */
    const uint8_t *(*log)(void *context, uint32_t *count); /* the last lines of the log, UTF-8 */
    void (*reset)(void *context);                          /* start anew, after RESET was answered */
    void (*begin)(void *context);                          /* a session or sequence begins: forget the state */
} er_device;

/* Where a tensor of one sample lies in `input` or `output`. */
static inline uint8_t *er_at(uint8_t *base, const er_tensor *tensors, uint32_t tensor, uint32_t sample, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < tensor; i++) {
        base += count * tensors[i].bytes;
    }
    return base + sample * tensors[tensor].bytes;
}

#endif
