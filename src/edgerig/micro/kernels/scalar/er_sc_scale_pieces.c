#include "er_sc_scale.h"

/* Bits of the lower piece. */
enum { LOW = 11 };

void er_sc_scale_pieces(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count,
                        int8_t *y, int32_t step)
{
    const er_sc_channel own = *channel;
    const er_sc_range limits = *range;
    const uint32_t multiplier = (uint32_t)own.multiplier, addend = (uint32_t)own.addend;

    for (; count > 0; count--, y += step) {
        const int32_t sum = *sums++ + own.start;
        const uint32_t low = (((uint32_t)sum & ((1u << LOW) - 1)) * multiplier + addend) >> LOW;
        *y = er_sc_limited(((sum >> LOW) * own.multiplier + (int32_t)low) >> own.shift, &limits);
    }
}
