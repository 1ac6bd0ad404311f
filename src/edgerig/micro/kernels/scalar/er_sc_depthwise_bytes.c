#include "er_sc_depthwise.h"

#include "er_sc_depthwise_walk.h"

void er_sc_depthwise_bytes(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums,
                           er_sc_scale *scale)
{
    walk(p, x, y, plane, sums, 0x80, scale);
}
