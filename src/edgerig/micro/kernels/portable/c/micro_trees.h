/* Ensembles of decision trees. */
#ifndef MICRO_TREES_H
#define MICRO_TREES_H

#include <stdint.h>

/*
 * A node is two words, depth first. Of a branch: the key of its threshold; nodes to its false child in the upper half,
 * 0x8000 if NaN goes to the true child, which is the next node, and the feature. Of a leaf, whose upper half is 0: the
 * weight's bits where there is one sum, else where its weights begin; and their number.
 */
typedef struct micro_trees {
    int32_t features, trees, sums;
    int32_t aggregate; /* 0 sum, 1 least, 2 greatest */
    int32_t binary;    /* two classes of one sum s: 1 for 1 - s and s, 2 for -s and s */
    float divisor;
    const int32_t *nodes;
    const uint32_t *roots;
    const uint8_t *ids;
    const float *weights;
    const float *base;
    const int64_t *labels;
} micro_trees;

/* keys: a word a feature; label may be 0. */
void micro_trees_run(const micro_trees *p, const float *x, int32_t *keys, float *scores, int64_t *label);

#endif
