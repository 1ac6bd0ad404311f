#include "tiny.h"

#include <stddef.h>
#include <string.h>

#include "clock.h"
#include "model.h"
#include "tiny_text.h"

/* A product and a sum are rounded each by itself, as on every other device. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

/* How a sample becomes the network's input: as it is, less 128, quantized here, or by a table of what each byte means. */
#define TINY_COPY 0
#define TINY_FLIP 1
#define TINY_QUANTIZE 2
#define TINY_LOOK_UP 3

enum { BEYOND = 1024, LEAST = -128, MOST = 127 };

/* The network's input for each inference anew, since its memory holds other tensors later on. */
static const uint8_t *ready;
static int ran;

#if TINY_SCORE
/* No network makes anything of them, and no distance can be told. */
static int finite(const uint8_t *sample)
{
    uint32_t i, bits;

    for (i = 0; i < TINY_SAMPLE_BYTES; i += sizeof bits) {
        memcpy(&bits, sample + i, sizeof bits);
        if ((bits & 0x7F800000u) == 0x7F800000u) {
            return 0;
        }
    }
    return 1;
}
#endif

#if TINY_INPUT == TINY_COPY
static void prepare(uint8_t *sample)
{
    ready = sample;
}

static void restore(uint8_t *sample)
{
    (void)sample;
}
#elif TINY_INPUT == TINY_FLIP
/* Bytes less 128, where they lie: the sample may be too large to be held twice. */
static void restore(uint8_t *sample)
{
    uint32_t i;

    for (i = 0; i < TINY_SAMPLE_BYTES; i++) {
        sample[i] ^= 0x80u;
    }
}

static void prepare(uint8_t *sample)
{
    restore(sample);
    ready = sample;
}
#else
static uint32_t prepared[(TINY_NETWORK_BYTES + 3) / 4];

#if TINY_INPUT == TINY_QUANTIZE
/* Rounded to the nearest integer, halves away from zero, then clamped: TFLite's reference QUANTIZE. */
static int8_t quantize(float value)
{
    const model_tensor *input = &model_inputs[0];
    float scaled = value / input->scale, part;
    int32_t whole;

    if (!(scaled > -(float)BEYOND && scaled < (float)BEYOND)) {
        return scaled > 0.0f ? MOST : LEAST;
    }
    whole = (int32_t)scaled;
    part = scaled - (float)whole;
    whole += (part >= 0.5f) - (part <= -0.5f) + input->zero_point;
    return (int8_t)(whole < LEAST ? LEAST : whole > MOST ? MOST : whole);
}

static void prepare(uint8_t *sample)
{
    float value;
    uint32_t i;

    for (i = 0; i < TINY_NETWORK_BYTES; i++) {
        memcpy(&value, sample + 4 * i, sizeof value);
        ((int8_t *)prepared)[i] = quantize(value);
    }
    ready = (const uint8_t *)prepared;
}
#else
static const TINY_ELEMENT tiny_table[256] = TINY_TABLE;

static void prepare(uint8_t *sample)
{
    uint32_t i;

    for (i = 0; i < TINY_SAMPLE_BYTES; i++) {
        ((TINY_ELEMENT *)prepared)[i] = tiny_table[sample[i]];
    }
    ready = (const uint8_t *)prepared;
}
#endif

static void restore(uint8_t *sample)
{
    (void)sample;
}
#endif

static float output(uint32_t index)
{
    const model_tensor *tensor = &model_outputs[0];
    float value;

    if (!tensor->quantized) {
        memcpy(&value, (const uint8_t *)model_output(0) + 4 * index, sizeof value);
        return value;
    }
    return tensor->scale * (float)(((const int8_t *)model_output(0))[index] - tensor->zero_point);
}

#if TINY_SCORE
static double score;

/* The mean over all values of the squared difference between what came in and what came out. In double precision: a
 * sum of hundreds of floats would be off by more than the thousandths that are told. */
static void note_score(const uint8_t *sample)
{
    double sum = 0.0, difference;
    float value;
    uint32_t i;

    for (i = 0; i < TINY_OUTPUTS; i++) {
        memcpy(&value, sample + 4 * i, sizeof value);
        difference = (double)output(i) - (double)value;
        sum += difference * difference;
    }
    score = sum / (double)TINY_OUTPUTS;
}
#endif

static void run(int32_t count)
{
    while (count-- > 0) {
        memcpy(model_input(0), ready, TINY_NETWORK_BYTES);
        model_run();
        /* Or the board's counter would run over unseen. */
        (void)clock_now();
    }
}

static void measure(int32_t count, int32_t warm_up)
{
    tiny_put_number("m-warmup-start-", (uint32_t)warm_up, "\r\n");
    run(warm_up);
    tiny_put("m-warmup-done\r\n");
    tiny_put_number("m-infer-start-", (uint32_t)count, "\r\n");
    tiny_timestamp();
    run(count);
    tiny_timestamp();
    tiny_put("m-infer-done\r\n");
}

void tiny_infer(int32_t count, int32_t warm_up)
{
    uint32_t bytes;
    uint8_t *sample = tiny_sample(&bytes);

    if (count <= 0) {
        tiny_put("e-[Inference iterations must be >0]\r\n");
        return;
    }
    if (warm_up < 0) {
        tiny_put("e-[Inference warmup must be >=0]\r\n");
        return;
    }
    if (bytes != TINY_SAMPLE_BYTES) {
        tiny_put_number("e-[Input db has ", bytes, " bytes");
        tiny_put_number(", expected ", TINY_SAMPLE_BYTES, "]\r\n");
        return;
    }
#if TINY_SCORE
    if (!finite(sample)) {
        tiny_put("e-[Input db holds NaN or infinity]\r\n");
        return;
    }
#endif
    prepare(sample);
    /* What a network remembers of other samples is none of this one's: each command is a sequence of its own. */
    model_init();
    measure(count, warm_up);
    restore(sample);
#if TINY_SCORE
    note_score(sample);
#endif
    ran = 1;
    tiny_results();
}

void tiny_results(void)
{
    uint32_t i;

    tiny_put("m-results-[");
#if TINY_SCORE
    if (ran) {
        tiny_put_double(tiny_sink, score);
    }
    (void)i;
#else
    for (i = 0; ran && i < TINY_OUTPUTS; i++) {
        if (i != 0) {
            tiny_sink(',');
        }
        tiny_put_real(tiny_sink, output(i));
    }
#endif
    tiny_put("]\r\n");
}
