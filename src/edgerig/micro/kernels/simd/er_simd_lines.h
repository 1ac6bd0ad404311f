/* Operators on two values line by line, for one type of numbers: what files that define
 *
 *   er_binary   the operator's struct
 *   er_number   the type of inputs and outputs
 *
 * include, and define `line` for. */
#ifndef ER_SIMD_LINES_H
#define ER_SIMD_LINES_H

#include "er_simd.h"

enum { ADD, SUB, MUL };

/* The last axis. */
ER_INLINE void line(const er_binary *p, int operation, const er_number *a, const er_number *b, er_number *y);

ER_INLINE void lines(const er_binary *p, int operation, const er_number *a, const er_number *b, er_number *y)
{
    /* A copy, which what is written cannot change. */
    er_binary settings = *p;
    const int32_t *n = settings.size, *s = settings.step_a, *t = settings.step_b;
    for (int32_t h = 0; h < n[0]; h++) {
        for (int32_t i = 0; i < n[1]; i++) {
            for (int32_t j = 0; j < n[2]; j++) {
                for (int32_t k = 0; k < n[3]; k++, y += n[4])
                    line(&settings, operation, a + h * s[0] + i * s[1] + j * s[2] + k * s[3],
                         b + h * t[0] + i * t[1] + j * t[2] + k * t[3], y);
            }
        }
    }
}

#endif
