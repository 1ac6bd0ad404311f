#include "micro_trees.h"

#include <string.h>

#define MISSING INT32_MAX
#define GREATEST 3.402823466e+38f

/* An integer that is in the order of the number; -0 is 0, and NaN is above all. */
static int32_t order_key(const float *number)
{
    uint32_t bits;
    memcpy(&bits, number, sizeof bits);
    uint32_t size = bits & 0x7fffffffu;
    if (size > 0x7f800000u)
        return MISSING;
    return bits == size ? (int32_t)size : size == 0 ? 0 : -(int32_t)size - 1;
}

static const int32_t *leaf_of(const int32_t *node, const int32_t *keys)
{
    for (;;) {
        uint32_t word = (uint32_t)node[1];
        uint32_t jump = word >> 16;
        if (jump == 0)
            return node;
        int32_t key = keys[word & 0x7fffu];
        int yes = key <= node[0] || ((word & 0x8000u) != 0 && key == MISSING);
        node += yes ? 2 : 2 * jump;
    }
}

static float joined(const micro_trees *p, float so_far, float weight)
{
    if (p->aggregate == 1)
        return weight < so_far ? weight : so_far;
    if (p->aggregate == 2)
        return weight > so_far ? weight : so_far;
    return so_far + weight;
}

/* The sums' trees, in their order. */
static void walk(const micro_trees *p, const int32_t *keys, float *sums)
{
    for (int32_t tree = 0; tree < p->trees; tree++) {
        const int32_t *leaf = leaf_of(p->nodes + 2 * p->roots[tree], keys);
        if (p->sums == 1) {
            float weight;
            memcpy(&weight, leaf, sizeof weight);
            sums[0] = joined(p, sums[0], weight);
            continue;
        }
        const uint8_t *id = p->ids + leaf[0];
        const float *weight = p->weights + leaf[0];
        for (int32_t i = 0; i < leaf[1]; i++)
            sums[id[i]] = joined(p, sums[id[i]], weight[i]);
    }
}

void micro_trees_run(const micro_trees *p, const float *x, int32_t *keys, float *scores, int64_t *label)
{
    for (int32_t i = 0; i < p->features; i++)
        keys[i] = order_key(x + i);
    for (int32_t k = 0; k < p->sums; k++)
        scores[k] = p->aggregate == 1 ? GREATEST : p->aggregate == 2 ? -GREATEST : 0.0f;
    walk(p, keys, scores);
    for (int32_t k = 0; k < p->sums; k++)
        scores[k] = scores[k] / p->divisor + p->base[k];
    int32_t best = 0;
    if (p->binary) {
        float sum = scores[0];
        best = sum > (p->binary == 1 ? 0.5f : 0.0f);
        scores[0] = p->binary == 1 ? 1.0f - sum : -sum;
        scores[1] = sum;
    } else {
        for (int32_t k = 1; k < p->sums; k++)
            best = scores[k] > scores[best] ? k : best;
    }
    if (label)
        *label = p->labels[best];
}
