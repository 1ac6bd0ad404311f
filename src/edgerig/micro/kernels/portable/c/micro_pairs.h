/*
 * Sums of two pixels in one accumulator of 64 bits: where a long multiply-accumulate is one instruction, it makes two
 * products at once. A pair is x0 + x1 * 2^23; the lower sum stays within 22 bits and a sign, whatever lies above it.
 */
#ifndef MICRO_PAIRS_H
#define MICRO_PAIRS_H

#include <stdint.h>

/* 1 or 0: Arm cores that make long products in one cycle, as those with DSP instructions do, unless they have vectors. */
#ifndef MICRO_PAIRS
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && !defined(__ARM_FEATURE_MVE) && !defined(__ARM_NEON)
#define MICRO_PAIRS 1
#else
#define MICRO_PAIRS 0
#endif
#endif

/* Interleaves count values of four pixels: two pairs for each value. Products with them: `micro_columns_dot`. */
void micro_pairs_pack(const int8_t *const from[4], int32_t count, int32_t *to);

#endif
