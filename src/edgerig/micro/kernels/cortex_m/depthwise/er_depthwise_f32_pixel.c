#include "er_depthwise_f32.h"

void er_depthwise_f32_pixel(const er_depthwise_f32 *p, er_taps_f32 *taps, float *out)
{
    const float *bias = p->bias;
    for (int32_t left = p->channels; left > 0;) {
        int32_t some = left >= 8 ? 8 : left >= 4 ? 4 : 1;
        if (some == 8)
            er_taps_f32_8(taps, bias, out);
        else if (some == 4)
            er_taps_f32_4(taps, bias, out);
        else
            er_taps_f32_1(taps, bias, out);
        taps->x += some;
        taps->weights += some;
        bias += some;
        out += some;
        left -= some;
    }
}
