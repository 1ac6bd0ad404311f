/* int16 bilinear resizing with weights in 1/1024. */
#ifndef MICRO_RESIZE_S16_H
#define MICRO_RESIZE_S16_H

#include "micro_resize_s8.h"

void micro_resize_s16_run(const micro_resize_s8 *p, const int16_t *x, int16_t *y);

#endif
