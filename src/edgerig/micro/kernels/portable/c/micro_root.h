/* The square root of a float, without a library: that of the exponent first, then Newton's steps. */
#ifndef MICRO_ROOT_H
#define MICRO_ROOT_H

#include <stdint.h>
#include <string.h>

static inline float micro_root(float x)
{
    uint32_t bits;
    float y;
    if (!(x > 0.0f) || x > 3.4028234e38f)
        return x < 0.0f ? (x - x) / (x - x) : x; /* of 0, infinity and what is no number: itself */
    float scale = 1.0f;
    if (x < 1.17549435e-38f) {
        x *= 16777216.0f;
        scale = 2.44140625e-4f;
    }
    memcpy(&bits, &x, sizeof bits);
    bits = (bits >> 1) + 0x1fbd1df5u;
    memcpy(&y, &bits, sizeof y);
    y = 0.5f * (y + x / y);
    y = 0.5f * (y + x / y);
    y = 0.5f * (y + x / y);
    return y * scale;
}

#endif
