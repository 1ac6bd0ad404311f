#include "digits_tensors.h"

#include <string.h>

#include "../../digits/digits.h"

/* x / scale + zero point, halves away from zero, within the type's range: TFLite's QUANTIZE. */
static int32_t quantize(const model_tensor *tensor, float number)
{
    const int32_t low = tensor->dtype[0] == 'i' ? -128 : 0, high = low + 255;
    float scaled = tensor->quantized ? number / tensor->scale : number, rest;
    int32_t whole;

    /* No zero point moves what is as far outside back in. */
    if (scaled > 1e6f) {
        return high;
    }
    if (scaled < -1e6f) {
        return low;
    }
    whole = (int32_t)scaled;
    rest = scaled - (float)whole;
    whole += rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0;
    whole += tensor->quantized ? tensor->zero_point : 0;
    return whole < low ? low : whole > high ? high : whole;
}

void digits_set_input(const model_tensor *tensor, void *to, const uint8_t *bytes, uint32_t at)
{
    uint32_t i;

    if (tensor->dtype[0] == 'f') {
        memcpy(to, bytes + at, 4 * DIGITS_PIXELS);
        return;
    }
    for (i = 0; i < DIGITS_PIXELS; i++) {
        ((uint8_t *)to)[i] = (uint8_t)quantize(tensor, digits_float(bytes, at, i));
    }
}

void digits_get_output(const model_tensor *tensor, const void *from, float *outputs)
{
    uint32_t i;

    for (i = 0; i < DIGITS_OUTPUTS; i++) {
        if (tensor->dtype[0] == 'f') {
            memcpy(&outputs[i], (const uint8_t *)from + 4 * i, sizeof *outputs);
            continue;
        }
        int32_t number = tensor->dtype[0] == 'i' ? ((const int8_t *)from)[i] : ((const uint8_t *)from)[i];

        outputs[i] = tensor->quantized ? tensor->scale * (float)(number - tensor->zero_point) : (float)number;
    }
}
