#include "micro_pairs.h"

#include "micro_columns.h"
#include "micro_loop.h"

#if MICRO_PAIRS

#define SHIFT 23
#define HALF ((int32_t)1 << (SHIFT - 1))

void micro_pairs_pack(const int8_t *const from[4], int32_t count, int32_t *to)
{
    const int8_t *a = from[0], *b = from[1], *c = from[2], *d = from[3];
    MICRO_AS_IT_IS
    for (int32_t k = 0; k < count; k++, to += 2) {
        int32_t upper = b[k] * (1 << SHIFT), other = d[k] * (1 << SHIFT);
        to[0] = upper + a[k];
        to[1] = other + c[k];
    }
}

static void split(int64_t sum, int32_t *to)
{
    to[0] = (int32_t)((uint32_t)sum & ((1u << SHIFT) - 1)) - HALF;
    to[1] = (int32_t)(sum >> SHIFT);
}

/* One value of four pixels by a weight of each of two channels. */
#define STEP                                                                                                           \
    w = *first++;                                                                                                      \
    v = *second++;                                                                                                     \
    pair = *pairs++;                                                                                                   \
    s0 += (int64_t)w * pair;                                                                                           \
    s2 += (int64_t)v * pair;                                                                                           \
    pair = *pairs++;                                                                                                   \
    s1 += (int64_t)w * pair;                                                                                           \
    s3 += (int64_t)v * pair;

/* Count values, as few as fill no lower sum. Eight at once: what surrounds them, and what was spilled, costs once. */
static MICRO_ALONE void dot(const int8_t *first, const int8_t *second, const int32_t *pairs, int32_t count,
                            int32_t *sums)
{
    int64_t s0 = HALF, s1 = HALF, s2 = HALF, s3 = HALF;
    int32_t w, v, pair;
    const int32_t *end = pairs + 2 * (count & ~7), *last = pairs + 2 * count;
    MICRO_AS_IT_IS
    while (pairs != end) {
        STEP STEP STEP STEP STEP STEP STEP STEP
    }
    MICRO_AS_IT_IS
    while (pairs != last) {
        STEP
    }
    split(s0, sums);
    split(s1, sums + 2);
    split(s2, sums + 4);
    split(s3, sums + 6);
}

void micro_columns_dot(const micro_conv_s8 *p, int32_t c, const int16_t *columns, int32_t count, int32_t *sums)
{
    (void)count;
    const int8_t *first = p->weights + c * p->length;
    const int8_t *second = c + 1 < p->channels ? first + p->length : first;
    const int32_t *pairs = (const int32_t *)(const void *)columns;
    int32_t used = p->kernel_height * p->kernel_width * p->depth, more[8], *to = sums;
    for (int32_t k = 0; k < used; k += p->apart, to = more) {
        dot(first + k, second + k, pairs + 2 * k, used - k < p->apart ? used - k : p->apart, to);
        for (int32_t i = 0; to == more && i < 8; i++)
            sums[i] += more[i];
    }
}

#endif
