#include "micro_lstm.h"

#include <string.h>

#include "micro_curves_f32.h"

static float gate(const micro_lstm_f32 *p, const micro_lstm_gate_f32 *g, int32_t unit, const float *x,
                  const float *state)
{
    const float *weights = g->weights + unit * p->features, *recurrent = g->recurrent + unit * p->units;
    float sum = g->bias[unit];
    for (int32_t i = 0; i < p->features; i++)
        sum += x[i] * weights[i];
    for (int32_t i = 0; i < p->units; i++)
        sum += state[i] * recurrent[i];
    return sum;
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

static float step(const micro_lstm_f32 *p, int32_t unit, const float *x, const float *state, float *cell)
{
    float forget = sigmoid(gate(p, &p->forget, unit, x, state));
    float content = hyperbolic_tangent(gate(p, &p->cell, unit, x, state));
    float into = p->input.weights ? sigmoid(gate(p, &p->input, unit, x, state)) : 1.0f - forget;
    float output = sigmoid(gate(p, &p->output, unit, x, state));
    float sum = forget * *cell + into * content;
    if (p->clip > 0.0f)
        sum = sum < -p->clip ? -p->clip : sum > p->clip ? p->clip : sum;
    *cell = sum;
    return output * hyperbolic_tangent(sum);
}

void micro_lstm_f32_run(const micro_lstm_f32 *p, const float *x, float *state, float *cell, float *y)
{
    for (int32_t i = 0; i < p->steps; i++, x += p->features, y += p->units) {
        for (int32_t unit = 0; unit < p->units; unit++)
            y[unit] = step(p, unit, x, state, cell + unit);
        memcpy(state, y, (size_t)p->units * sizeof(float));
    }
}
