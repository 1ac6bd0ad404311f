/* ADD, SUB and MUL of int8. The innermost steps of both inputs are 0 or 1. */
#ifndef ER_SIMD_BINARY_S8_H
#define ER_SIMD_BINARY_S8_H

#include "micro_binary.h"

MICRO_BINARY_S8(er_simd_add_s8_run);
MICRO_BINARY_S8(er_simd_sub_s8_run);
MICRO_BINARY_S8(er_simd_mul_s8_run);

#endif
