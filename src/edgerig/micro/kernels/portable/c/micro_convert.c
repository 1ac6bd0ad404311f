#include "micro_convert.h"

/* x / scale + zero, halves rounded away from zero, clamped to low and high. */
static int32_t quantized(float x, float scale, int32_t zero, int32_t low, int32_t high)
{
    float ratio = x / scale;
    float limited = ratio > 1e6f ? 1e6f : ratio > -1e6f ? ratio : -1e6f;
    int32_t whole = (int32_t)limited;
    float rest = limited - (float)whole;
    int32_t value = whole + (rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0) + zero;
    return value < low ? low : value > high ? high : value;
}

void micro_quantize_s8(const float *x, int8_t *y, int32_t count, float scale, int32_t zero)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = (int8_t)quantized(x[i], scale, zero, INT8_MIN, INT8_MAX);
}

void micro_quantize_u8(const float *x, uint8_t *y, int32_t count, float scale, int32_t zero)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = (uint8_t)quantized(x[i], scale, zero, 0, UINT8_MAX);
}

void micro_quantize_s16(const float *x, int16_t *y, int32_t count, float scale, int32_t zero)
{
    for (int32_t i = 0; i < count; i++)
        y[i] = (int16_t)quantized(x[i], scale, zero, INT16_MIN, INT16_MAX);
}

void micro_dequantize_s16(const int16_t *x, float *y, int32_t count, float scale, int32_t zero)
{
    for (int32_t i = count - 1; i >= 0; i--)
        y[i] = scale * (float)(x[i] - zero);
}

void micro_dequantize_s8(const int8_t *x, float *y, int32_t count, float scale, int32_t zero)
{
    for (int32_t i = count - 1; i >= 0; i--)
        y[i] = scale * (float)(x[i] - zero);
}

void micro_dequantize_u8(const uint8_t *x, float *y, int32_t count, float scale, int32_t zero)
{
    for (int32_t i = count - 1; i >= 0; i--)
        y[i] = scale * (float)(x[i] - zero);
}
