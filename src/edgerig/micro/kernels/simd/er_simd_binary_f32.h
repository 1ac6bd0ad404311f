/* ADD, SUB and MUL of float. The innermost steps of both inputs are 0 or 1. */
#ifndef ER_SIMD_BINARY_F32_H
#define ER_SIMD_BINARY_F32_H

#include "micro_binary.h"

MICRO_BINARY_F32(er_simd_add_f32_run);
MICRO_BINARY_F32(er_simd_sub_f32_run);
MICRO_BINARY_F32(er_simd_mul_f32_run);

#endif
