#include "micro_dense_s8.h"

#include "micro_loop.h"
#include "micro_pairs.h"

#if MICRO_PAIRS && defined(__GNUC__) && !defined(__clang__)
/* Else it loads ahead, and sums up products, in more registers than there are. */
#pragma GCC optimize("no-tree-reassoc", "no-schedule-insns")
#endif

/* Machines with vector units: GCC is to use them for these loops at -O2 too. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) &&                \
    (defined(__SSE2__) || defined(__ARM_NEON))
#pragma GCC optimize("O3")
#endif

/* Channels that are scaled together; even. */
#define GROUP 16

#if MICRO_PAIRS

/*
 * Two products of a row in one: (w0 + w3 * 2^24) * (x3 + x0 * 2^24) has w0 * x0 + w3 * x3 from bit 24 on. Weights and
 * inputs are 0 to 255 here; as few are summed up as let no bit go from one sum to the next.
 */
#define OUTER 0xff0000ffu

static uint32_t outer(uint32_t lower, uint32_t upper)
{
    return lower | upper << 24;
}

static uint32_t at(const micro_dense_s8 *p, const int8_t *x, int32_t k)
{
    return k < p->depth ? (uint32_t)(x[k] + 128) : 0;
}

/* Inputs, 128 added to each, as two factors for each four of them; their sum. */
static uint32_t begin(const micro_dense_s8 *p, const int8_t *x, int16_t *column)
{
    uint32_t *to = (uint32_t *)(void *)column, sum = 0;
    for (int32_t k = 0; k < p->length; k += 4) {
        uint32_t x0 = at(p, x, k), x1 = at(p, x, k + 1), x2 = at(p, x, k + 2), x3 = at(p, x, k + 3);
        *to++ = outer(x3, x0);
        *to++ = outer(x1, x2);
        sum += x0 + x1 + x2 + x3;
    }
    return sum;
}

static uint32_t four(const uint8_t *w)
{
    return w[0] | (uint32_t)w[1] << 8 | (uint32_t)w[2] << 16 | (uint32_t)w[3] << 24;
}

#define STEP                                                                                                           \
    x = factors[0], z = factors[1], factors += 2;                                                                      \
    w = four(first), first += 4;                                                                                       \
    s0 += (uint64_t)(w & OUTER) * x;                                                                                   \
    s0 += (uint64_t)((w >> 16 | w << 16) & OUTER) * z;                                                                 \
    w = four(second), second += 4;                                                                                     \
    s1 += (uint64_t)(w & OUTER) * x;                                                                                   \
    s1 += (uint64_t)((w >> 16 | w << 16) & OUTER) * z;

/* Sums of two rows, of count weights, a multiple of 16. */
static MICRO_ALONE void dot(const uint8_t *first, const uint8_t *second, const uint32_t *factors, int32_t count,
                            int32_t apart, uint32_t *sums)
{
    const uint32_t *last = factors + count / 2;
    sums[0] = sums[1] = 0;
    while (factors != last) {
        const uint32_t *end = last - factors < apart / 2 ? last : factors + apart / 2;
        uint64_t s0 = 0, s1 = 0;
        MICRO_AS_IT_IS
        do {
            uint32_t w, x, z;
            STEP STEP STEP STEP
        } while (factors != end);
        sums[0] += (uint32_t)(s0 >> 24) & 0xffffff;
        sums[1] += (uint32_t)(s1 >> 24) & 0xffffff;
    }
}

/* What the last weights of a row make, fewer than 16. */
static uint32_t rest(const uint8_t *w, const uint32_t *factors, int32_t count)
{
    uint32_t sum = 0;
    for (int32_t k = 0; k < count; k++) {
        uint32_t both = factors[k / 4 * 2 + (k % 4 == 1 || k % 4 == 2)];
        sum += w[k] * (k % 2 ? both & 255 : both >> 24);
    }
    return sum;
}

static void dot_rows(const micro_dense_s8 *p, int32_t c, int32_t count, const int16_t *column, uint32_t *sums)
{
    const uint32_t *factors = (const uint32_t *)(const void *)column;
    int32_t length = p->length, whole = length & ~15;
    const uint8_t *row = p->weights + c * length;
    for (int32_t i = 0; i < count; i += 2, row += 2 * length, sums += 2) {
        const uint8_t *other = i + 1 < count ? row + length : row;
        dot(row, other, factors, whole, p->apart, sums);
        if (length > whole) {
            sums[0] += rest(row + whole, factors + whole / 2, length - whole);
            sums[1] += rest(other + whole, factors + whole / 2, length - whole);
        }
    }
}

#else

/* Products of 16 bits, as the machine's vectors have them. */
#ifdef __ARM_FEATURE_MVE
typedef uint16_t input;
#else
typedef int16_t input;
#endif

static uint32_t begin(const micro_dense_s8 *p, const int8_t *x, int16_t *column)
{
    uint32_t sum = 0;
    for (int32_t k = 0; k < p->depth; k++) {
        uint32_t value = (uint32_t)(x[k] + 128);
        column[k] = (int16_t)value;
        sum += value;
    }
    for (int32_t k = p->depth; k < p->length; k++)
        column[k] = 0;
    return sum;
}

static void dot_4(const uint8_t *rows, const input *column, int32_t length, uint32_t *sums)
{
    const uint8_t *r0 = rows, *r1 = r0 + length, *r2 = r1 + length, *r3 = r2 + length;
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t k = 0; k < length; k++) {
        input x = column[k];
        s0 += (uint32_t)(x * r0[k]);
        s1 += (uint32_t)(x * r1[k]);
        s2 += (uint32_t)(x * r2[k]);
        s3 += (uint32_t)(x * r3[k]);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

static uint32_t dot_1(const uint8_t *row, const input *column, int32_t length)
{
    uint32_t sum = 0;
    for (int32_t k = 0; k < length; k++)
        sum += (uint32_t)(row[k] * column[k]);
    return sum;
}

static void dot_rows(const micro_dense_s8 *p, int32_t c, int32_t count, const int16_t *column, uint32_t *sums)
{
    const uint8_t *rows = p->weights + c * p->length;
    const input *inputs = (const input *)column;
    int32_t i = 0;
    for (; i + 4 <= count; i += 4)
        dot_4(rows + i * p->length, inputs, p->length, sums + i);
    for (; i < count; i++)
        sums[i] = dot_1(rows + i * p->length, inputs, p->length);
}

#endif

void micro_dense_s8_run(const micro_dense_s8 *p, const int8_t *x, int8_t *y, int16_t *column)
{
    uint32_t offset = begin(p, x, column) * 128;
    for (int32_t c = 0; c < p->channels; c += GROUP) {
        int32_t count = p->channels - c < GROUP ? p->channels - c : GROUP, sums[GROUP];
        uint32_t dots[GROUP];
        dot_rows(p, c, count, column, dots);
        for (int32_t i = 0; i < count; i++)
            sums[i] = (int32_t)(dots[i] - offset);
        micro_scale_sums(&p->scaling, p->scales + c, count, sums, 1, 1, y + c, 0);
    }
}
