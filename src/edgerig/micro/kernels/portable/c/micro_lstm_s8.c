#include "micro_lstm.h"

#include <string.h>

#include "micro_requantize.h"

#define ONE 32767

/* Numbers of 16 bits in the fixed point of gemmlowp; held as int32. */
static int32_t limited(int32_t x)
{
    return micro_clamp(x, INT16_MIN, INT16_MAX);
}

static int32_t product(int32_t x, int32_t y)
{
    return limited((x * y + (1 << 14)) >> 15);
}

/* exp(x) for x in [-1/4, 0) and no integer bits: a polynomial around -1/8. */
static int32_t exp_between(int32_t x)
{
    int32_t a = x + (1 << 12);
    int32_t a2 = product(a, a);
    int32_t a3 = product(a2, a);
    int32_t a4 = product(a2, a2);
    int32_t term = product(micro_divide_by_power(a4, 2) + a3, 10923) + a2;
    return limited(28918 + product(a + micro_divide_by_power(term, 1), 28918));
}

/* exp(x) for x at most 0 with `bits` integer bits, 1 to 7. */
static int32_t exp_negative(int32_t x, int32_t bits)
{
    static const int32_t factors[7] = { 25520, 19875, 12055, 4435, 600, 11, 0 };
    int32_t quarter = 1 << (13 - bits);
    int32_t offset = (x & (quarter - 1)) - quarter;
    int32_t rest = offset - x;
    int32_t result = exp_between(limited(offset * (1 << bits)));
    for (int32_t i = 0; i < 7 && i - 2 < bits; i++) {
        if (rest & (1 << (13 - bits + i)))
            result = product(result, factors[i]);
    }
    if (bits > 5 && x < -(32 << (15 - bits)))
        result = 0;
    return x == 0 ? ONE : result;
}

/* 2 / (1 + x) for x in [0, 1], with 2 integer bits: Newton's division. */
static int32_t twice_over_one_plus(int32_t x)
{
    int32_t half = (x + ONE + 1) >> 1;
    int32_t result = 23130 + product(half, -15420);
    for (int32_t i = 0; i < 3; i++)
        result += limited(product(result, (1 << 13) - product(half, result)) * 4);
    return result;
}

/* x has 3 integer bits, the result none */
static int32_t sigmoid(int32_t x)
{
    int32_t positive = limited(twice_over_one_plus(exp_negative(x < 0 ? x : -x, 3)) * 2);
    return x == 0 ? 1 << 14 : x > 0 ? positive : ONE - positive;
}

static int32_t hyperbolic_tangent(int32_t x, int32_t bits)
{
    int32_t size = limited((twice_over_one_plus(exp_negative(x < 0 ? x : -x, bits + 1)) - (1 << 13)) * 4);
    return x == 0 ? 0 : x < 0 ? -size : size;
}

static int32_t dot(const int8_t *x, const int8_t *weights, int32_t count, int32_t sum)
{
    for (int32_t i = 0; i < count; i++)
        sum += x[i] * weights[i];
    return sum;
}

/* What a gate of a unit sums up, with 3 integer bits. */
static int32_t gate(const micro_lstm_s8 *p, const micro_lstm_gate_s8 *g, int32_t unit, const int8_t *x,
                    const int8_t *state)
{
    int32_t first = dot(x, g->weights + unit * p->features, p->features, g->bias[unit]);
    int32_t second = dot(state, g->recurrent + unit * p->units, p->units, g->recurrent_bias[unit]);
    int32_t sum = limited(micro_scale_twice(first, g->multiplier, g->exponent));
    return limited(micro_scale_twice(second, g->recurrent_multiplier, g->recurrent_exponent) + sum);
}

static int8_t step(const micro_lstm_s8 *p, int32_t unit, const int8_t *x, const int8_t *state, int16_t *cell)
{
    int32_t forget = sigmoid(gate(p, &p->forget, unit, x, state));
    int32_t content = hyperbolic_tangent(gate(p, &p->cell, unit, x, state), 3);
    int32_t into = p->input.weights ? sigmoid(gate(p, &p->input, unit, x, state)) : ONE - forget;
    int32_t output = sigmoid(gate(p, &p->output, unit, x, state));
    int16_t kept = (int16_t)micro_divide_by_power(forget * *cell, 15);
    int16_t added = (int16_t)micro_divide_by_power(into * content, 30 + p->cell_exponent);
    int32_t sum = limited(kept + added);
    *cell = (int16_t)(p->clip ? micro_clamp(sum, -p->clip, p->clip) : sum);
    int32_t hidden = output * hyperbolic_tangent(*cell, 15 + p->cell_exponent);
    return (int8_t)micro_clamp(micro_scale_twice(hidden, p->multiplier, p->exponent) + p->zero, INT8_MIN, INT8_MAX);
}

void micro_lstm_s8_run(const micro_lstm_s8 *p, const int8_t *x, int8_t *state, int16_t *cell, int8_t *y)
{
    for (int32_t i = 0; i < p->steps; i++, x += p->features, y += p->units) {
        for (int32_t unit = 0; unit < p->units; unit++)
            y[unit] = step(p, unit, x, state, cell + unit);
        memcpy(state, y, (size_t)p->units);
    }
}
