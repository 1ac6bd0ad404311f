/* Sums over float columns of three or four pixels by four channels, for an FPU with VFMA. */
#ifndef ER_FLOAT_TILE_H
#define ER_FLOAT_TILE_H

#include <stdint.h>

/* weights: for each four channels the inputs' weights (4 words each), then 4 biases; the assembly code knows the
   offsets. */
typedef struct er_float_tile {
    const float *weights;
    uint32_t odd;           /* the number of inputs is odd */
    uint32_t rounds, first; /* of 4 steps of 2 inputs behind the first input or two; steps in the first round */
    uint32_t quads;         /* of channels */
    uint32_t pixel_stride;  /* of the output, bytes */
    uint32_t clamp;         /* 1: at least low, 2: at most high */
    float low, high;
} er_float_tile;

/* columns: each input of all pixels, one input after the other. */
typedef void er_float_tile_run(const er_float_tile *job, const float *columns, float *out);
er_float_tile_run er_float_tile_3, er_float_tile_4;
/* The maximum of the four pixels. */
er_float_tile_run er_float_tile_pool;

/* Copies so many words of so many rows, of which one begins step bytes behind the other, to every third or fourth
   word; returns where the next goes. */
typedef float *er_float_spread(const float *from, float *to, uint32_t count, uint32_t rows, uint32_t step);
er_float_spread er_float_spread_3, er_float_spread_4;

#endif
