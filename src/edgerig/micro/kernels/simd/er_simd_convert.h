/* Float to integers. */
#ifndef ER_SIMD_CONVERT_H
#define ER_SIMD_CONVERT_H

#include <stdint.h>

/* As micro_quantize_s8; y may begin where x begins. */
void er_simd_quantize_s8(const float *x, int8_t *y, int32_t count, float scale, int32_t zero);

#endif
