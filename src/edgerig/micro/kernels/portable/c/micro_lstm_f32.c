#include "micro_lstm.h"

#include <string.h>

#include "micro_curves_f32.h"

static float gate(const micro_lstm_f32 *p, const micro_lstm_gate_f32 *g, int32_t unit, const float *x,
                  const float *state, float cell)
{
    const float *weights = g->weights + unit * p->features, *recurrent = g->recurrent + unit * p->outputs;
    float sum = g->bias[unit];
    for (int32_t i = 0; i < p->features; i++)
        sum += x[i] * weights[i];
    for (int32_t i = 0; i < p->outputs; i++)
        sum += state[i] * recurrent[i];
    return g->peephole ? sum + cell * g->peephole[unit] : sum;
}

static float sigmoid(float x)
{
    micro_logistic_f32(&x, &x, 1);
    return x;
}

static float hyperbolic_tangent(float x)
{
    micro_tanh_f32(&x, &x, 1);
    return x;
}

static float limited(float x, float clip)
{
    return clip > 0.0f && x > clip ? clip : clip > 0.0f && x < -clip ? -clip : x;
}

static float step(const micro_lstm_f32 *p, int32_t unit, const float *x, const float *state, float *cell)
{
    float forget = sigmoid(gate(p, &p->forget, unit, x, state, *cell));
    float content = hyperbolic_tangent(gate(p, &p->cell, unit, x, state, *cell));
    float into = p->input.weights ? sigmoid(gate(p, &p->input, unit, x, state, *cell)) : 1.0f - forget;
    float sum = limited(forget * *cell + into * content, p->clip);
    *cell = sum;
    return sigmoid(gate(p, &p->output, unit, x, state, sum)) * hyperbolic_tangent(sum);
}

static void project(const micro_lstm_f32 *p, const float *hidden, float *y)
{
    for (int32_t i = 0; i < p->outputs; i++) {
        float sum = p->projection_bias ? p->projection_bias[i] : 0.0f;
        for (int32_t unit = 0; unit < p->units; unit++)
            sum += hidden[unit] * p->projection[i * p->units + unit];
        y[i] = limited(sum, p->projection_clip);
    }
}

void micro_lstm_f32_run(const micro_lstm_f32 *p, const float *x, float *state, float *cell, float *y, float *hidden)
{
    for (int32_t i = 0; i < p->steps; i++, x += p->features, y += p->outputs) {
        float *to = p->projection ? hidden : y;
        for (int32_t unit = 0; unit < p->units; unit++)
            to[unit] = step(p, unit, x, state, cell + unit);
        if (p->projection)
            project(p, hidden, y);
        memcpy(state, y, (size_t)p->outputs * sizeof(float));
    }
}
