/* int8 bilinear resizing with weights in 1/1024. */
#ifndef MICRO_RESIZE_S8_H
#define MICRO_RESIZE_S8_H

#include <stdint.h>

typedef struct micro_tap {
    int16_t lower, upper; /* indices of the input */
    int32_t weight;       /* of the upper one */
} micro_tap;

typedef struct micro_resize_s8 {
    int32_t width, depth, out_height, out_width;
    const micro_tap *rows, *columns;
} micro_resize_s8;

void micro_resize_s8_run(const micro_resize_s8 *p, const int8_t *x, int8_t *y);

#endif
