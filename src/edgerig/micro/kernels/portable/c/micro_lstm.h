/* A long short-term memory over a sequence. */
#ifndef MICRO_LSTM_H
#define MICRO_LSTM_H

#include <stdint.h>

/* int8 weights in rows of one unit each; both biases have zero points folded in. */
typedef struct micro_lstm_gate_s8 {
    const int8_t *weights, *recurrent;
    const int32_t *bias, *recurrent_bias;
    int32_t multiplier, exponent, recurrent_multiplier, recurrent_exponent;
} micro_lstm_gate_s8;

typedef struct micro_lstm_s8 {
    int32_t steps, features, units;
    int32_t cell_exponent; /* the cell has the scale 2^cell_exponent */
    int32_t clip;          /* of the cell; 0 for none */
    int32_t multiplier, exponent, zero;
    micro_lstm_gate_s8 input, forget, cell, output; /* input.weights is 0 where 1 - forget takes its place */
} micro_lstm_s8;

typedef struct micro_lstm_gate_f32 {
    const float *weights, *recurrent, *bias;
    const float *peephole; /* weights of the cell; 0 for none */
} micro_lstm_gate_f32;

typedef struct micro_lstm_f32 {
    int32_t steps, features, units, outputs;
    float clip;
    const float *projection,
        *projection_bias; /* each 0 for none; without projection there are as many outputs as units */
    float projection_clip;
    micro_lstm_gate_f32 input, forget, cell, output;
} micro_lstm_f32;

/* state holds the last output, cell the cells; both are changed. y must not lie over x. hidden: a number for each unit,
 * where there is a projection. */
void micro_lstm_s8_run(const micro_lstm_s8 *p, const int8_t *x, int8_t *state, int16_t *cell, int8_t *y);
void micro_lstm_f32_run(const micro_lstm_f32 *p, const float *x, float *state, float *cell, float *y, float *hidden);

#endif
