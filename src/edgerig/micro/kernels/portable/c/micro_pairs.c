#include "micro_pairs.h"

#include "micro_loop.h"

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

/* One value of four pixels by two weights. */
#define STEP(k)                                                                                                        \
    w = first[k];                                                                                                      \
    s0 += (int64_t)w * pairs[2 * (k)];                                                                                 \
    s1 += (int64_t)w * pairs[2 * (k) + 1];                                                                             \
    w = second[k];                                                                                                     \
    s2 += (int64_t)w * pairs[2 * (k)];                                                                                 \
    s3 += (int64_t)w * pairs[2 * (k) + 1];

static void add_both(int64_t sum, int32_t *to)
{
    to[0] += (int32_t)((uint32_t)sum & ((1u << SHIFT) - 1)) - HALF;
    to[1] += (int32_t)(sum >> SHIFT);
}

void micro_pairs_dot(const int8_t *first, const int8_t *second, const int32_t *pairs, int32_t count, int32_t *sums)
{
    int64_t s0 = HALF, s1 = HALF, s2 = HALF, s3 = HALF;
    int32_t w;
    const int32_t *end = pairs + 2 * (count & ~3), *last = pairs + 2 * count;
    MICRO_AS_IT_IS
    for (; pairs != end; pairs += 8, first += 4, second += 4) {
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
    }
    MICRO_AS_IT_IS
    for (; pairs != last; pairs += 2, first++, second++) {
        STEP(0)
    }
    add_both(s0, sums);
    add_both(s1, sums + 2);
    add_both(s2, sums + 4);
    add_both(s3, sums + 6);
}
