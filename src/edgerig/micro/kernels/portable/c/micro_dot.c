#include "micro_dot.h"

/* Machines with vector units: GCC is to use them for these loops at -O2 too. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) &&                \
    (defined(__SSE2__) || defined(__ARM_NEON))
#pragma GCC optimize("O3")
#endif

void micro_dot_4_columns(const int8_t *row, const int16_t *columns, int32_t length, int32_t *sums)
{
    const int16_t *c0 = columns, *c1 = c0 + length, *c2 = c1 + length, *c3 = c2 + length;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t k = 0; k < length; k++) {
        int16_t w = row[k];
        s0 += w * c0[k];
        s1 += w * c1[k];
        s2 += w * c2[k];
        s3 += w * c3[k];
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

void micro_dot_4_rows(const int8_t *rows, const int16_t *column, int32_t length, int32_t *sums)
{
    const int8_t *r0 = rows, *r1 = r0 + length, *r2 = r1 + length, *r3 = r2 + length;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t k = 0; k < length; k++) {
        int32_t x = column[k];
        s0 += x * r0[k];
        s1 += x * r1[k];
        s2 += x * r2[k];
        s3 += x * r3[k];
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

int32_t micro_dot(const int8_t *row, const int16_t *column, int32_t length)
{
    int32_t sum = 0;
    for (int32_t k = 0; k < length; k++)
        sum += row[k] * column[k];
    return sum;
}
