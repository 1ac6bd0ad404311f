/* int16 operators on two values element by element, with broadcasting; zero points are 0. */
#ifndef MICRO_BINARY_S16_H
#define MICRO_BINARY_S16_H

#include "micro_binary.h"

/* y may be a or b if these are not broadcast. */
void micro_add_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y);
void micro_sub_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y);
void micro_mul_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y);
void micro_maximum_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y);
void micro_minimum_s16_run(const micro_binary_s8 *p, const int16_t *a, const int16_t *b, int16_t *y);

#endif
