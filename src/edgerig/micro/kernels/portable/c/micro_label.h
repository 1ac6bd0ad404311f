/* The class of the greatest score, the first of those that are equal. */
#ifndef MICRO_LABEL_H
#define MICRO_LABEL_H

#include <stdint.h>

int32_t micro_label(const float *scores, int32_t classes);

#endif
