/* Real to integer and back. */
#ifndef MICRO_CONVERT_H
#define MICRO_CONVERT_H

#include <stdint.h>

/* y may begin where x begins: the quantizing ones go from the first on, the others from the last. */
void micro_quantize_s8(const float *x, int8_t *y, int32_t count, float scale, int32_t zero);
void micro_quantize_u8(const float *x, uint8_t *y, int32_t count, float scale, int32_t zero);
void micro_quantize_s16(const float *x, int16_t *y, int32_t count, float scale, int32_t zero);
void micro_dequantize_s16(const int16_t *x, float *y, int32_t count, float scale, int32_t zero);
void micro_dequantize_s8(const int8_t *x, float *y, int32_t count, float scale, int32_t zero);
void micro_dequantize_u8(const uint8_t *x, float *y, int32_t count, float scale, int32_t zero);

#endif
