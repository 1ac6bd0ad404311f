/* Means of int8 over windows that lie within the image. */
#ifndef ER_SC_MEAN_H
#define ER_SC_MEAN_H

#include "er_sc_scale.h"

/* scale: in pieces, of all sums. */
typedef struct er_sc_mean {
    int32_t width, depth, window_height, window_width, stride_y, stride_x, out_height, out_width;
    er_sc_channel scale;
    er_sc_range range;
} er_sc_mean;

/* sums: one for each channel. */
void er_sc_mean_run(const er_sc_mean *p, const int8_t *x, int8_t *y, int32_t *sums);

#endif
