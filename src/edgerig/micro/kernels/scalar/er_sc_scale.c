#include "er_sc_scale.h"

void er_sc_scale_once(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count,
                      int8_t *y, int32_t step)
{
    er_sc_scale_each(channel, range, sums, count, y, step, er_sc_once);
}

void er_sc_scale_twice(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count,
                       int8_t *y, int32_t step)
{
    er_sc_scale_each(channel, range, sums, count, y, step, er_sc_twice);
}

void er_sc_scale_long(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count,
                      int8_t *y, int32_t step)
{
    er_sc_channel plain = *channel;
    plain.shift &= ER_SC_SHIFT;
    if (channel->shift & ER_SC_ONCE)
        er_sc_scale_once(&plain, range, sums, count, y, step);
    else
        er_sc_scale_twice(&plain, range, sums, count, y, step);
}
