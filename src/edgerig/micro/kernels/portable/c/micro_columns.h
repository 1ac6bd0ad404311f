/* What up to four output pixels of a convolution see, and its products with weights. */
#ifndef MICRO_COLUMNS_H
#define MICRO_COLUMNS_H

#include "micro_conv_s8.h"

/* Once before the others. zeros: a row of a window outside of the image. */
void micro_columns_begin(const micro_conv_s8 *p, int16_t *columns, int8_t *zeros);

/* Gathers the windows of count output pixels, 1 to 4, at the rows and columns before pooling. */
void micro_columns_gather(const micro_conv_s8 *p, const int8_t *x, const int32_t *rows, const int32_t *places,
                          int32_t count, int16_t *columns, const int8_t *zeros);

/*
 * sums: four of channel c, and four of the channel that follows, if there is one; pixels that are not there have the
 * last one's.
 */
void micro_columns_dot(const micro_conv_s8 *p, int32_t c, const int16_t *columns, int32_t count, int32_t *sums);

#endif
