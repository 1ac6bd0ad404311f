#include "er_sc_depthwise.h"

#include "er_sc_depthwise_walk.h"

ALWAYS void once(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count, int8_t *y,
                 int32_t step)
{
    er_sc_scale_each(channel, range, sums, count, y, step, er_sc_once);
}

ALWAYS void twice(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count, int8_t *y,
                  int32_t step)
{
    er_sc_scale_each(channel, range, sums, count, y, step, er_sc_twice);
}

void er_sc_depthwise_once(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums)
{
    walk(p, x, y, plane, sums, 0, once);
}

void er_sc_depthwise_twice(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums)
{
    walk(p, x, y, plane, sums, 0, twice);
}
