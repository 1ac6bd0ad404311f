#include "faults.h"

void faults_seed(faults *f, uint64_t seed)
{
    f->state = seed * 0x9E3779B97F4A7C15u + 0x2545F4914F6CDD1Du;
}

/* xorshift64*, Vigna 2016 */
static uint64_t next(faults *f)
{
    f->state ^= f->state >> 12;
    f->state ^= f->state << 25;
    f->state ^= f->state >> 27;
    return f->state * 0x2545F4914F6CDD1Du;
}

double faults_random(faults *f)
{
    return (double)(next(f) >> 11) / 9007199254740992.0;
}

static int happens(faults *f, double probability)
{
    return probability > 0 && faults_random(f) < probability;
}

size_t faults_apply(faults *f, const uint8_t *from, size_t count, uint8_t *to)
{
    size_t i, made = 0;

    for (i = 0; i < count; i++) {
        uint8_t byte = from[i];

        if (happens(f, f->drop)) {
            continue;
        }
        if (happens(f, f->flip)) {
            byte = (uint8_t)(byte ^ (1u << (next(f) >> 61)));
        }
        if (happens(f, f->insert)) {
            to[made++] = (uint8_t)(next(f) >> 56);
        }
        to[made++] = byte;
        if (happens(f, f->repeat)) {
            to[made++] = byte;
        }
    }
    return made;
}
