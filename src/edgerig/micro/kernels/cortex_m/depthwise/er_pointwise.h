/* Pointwise convolution over columns. */
#ifndef ER_POINTWISE_H
#define ER_POINTWISE_H

#include <stdint.h>

/* The assembly code knows the offsets of these. Columns are tiles of three pixels: for each two inputs three words,
   the inputs of four in the order 0 2 1 3. */
typedef struct er_pointwise {
    const int32_t *weights; /* and parameters, one stream */
    const int32_t *end;     /* of the stream */
    int32_t channel_stride; /* of the output, bytes */
    int32_t pixel_stride;
    uint32_t rounds; /* of the unrolled loop, the first of them being shorter */
    uint32_t first;  /* steps in the first */
    uint32_t tile;   /* bytes of a tile of columns */
    int32_t addend;  /* of the requantization */
} er_pointwise;

typedef void er_pointwise_run(const er_pointwise *job, const uint32_t *columns, int8_t *out, uint32_t tiles);

#endif
