/* A bad line: bytes lost, changed, added or doubled at random, the same way for the same seed. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct faults {
    double drop; /* probabilities, of each byte */
    double flip;
    double insert;
    double repeat;
    uint64_t state;
} faults;

void faults_seed(faults *f, uint64_t seed);

/* A random number, uniform in [0, 1). */
double faults_random(faults *f);

/* What becomes of `count` bytes; `to` has room for 3 * count. How many they are then. */
size_t faults_apply(faults *f, const uint8_t *from, size_t count, uint8_t *to);

#endif
