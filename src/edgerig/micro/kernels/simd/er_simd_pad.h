/* An image with its borders, in other memory. */
#ifndef ER_SIMD_PAD_H
#define ER_SIMD_PAD_H

#include "er_shapes.h"

/* Borders are filled with fill; all bytes are exclusive-ored with flip. */
void er_simd_pad(const er_image *p, const int8_t *x, int8_t *to, int fill, int flip);

#endif
