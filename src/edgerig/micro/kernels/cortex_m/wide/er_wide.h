/* Convolutions and dense layers whose inputs are taken as 16 bits: int16 with weights of 8 bits, and int8 with packed
 * weights of 4, which are unpacked in the inner loop. Two channels and two pixels at a time. */
#ifndef ER_WIDE_H
#define ER_WIDE_H

#include <stdint.h>

typedef struct er_wide er_wide;

/* An output out of a sum with its bias; not clamped. */
typedef int32_t er_wide_scaling(const er_wide *layer, int32_t channel, int64_t sum);

/*
 * What is added to a sum of 32 bits, and how it is scaled:
 *     one rounding:  ((sum + bias) * multiplier / 2^32 + addend) / 2^shift
 *     two roundings: bias is twice the bias, and the sum is doubled; the high word is rounded; addend is half of 2^shift,
 *                    and 1 less for results below 0 where mask is -1.
 */
typedef struct er_wide_channel {
    int32_t bias, multiplier, addend, shift, mask;
} er_wide_channel;

/*
 * narrow: where sums with their bias stay within 32 bits, else NULL; doubled: two roundings.
 * bias, multipliers, shifts, scale: where narrow is NULL.
 * weights: of pairs of channels by steps of inputs, as er_wide.S says; the last pair may have a channel of zeros.
 * steps: of four inputs, of packed weights of eight; chunk: of which a sum stays within 32 bits.
 * column: inputs of a pixel, filled up to whole steps; 0 where they are read from the input itself.
 * kernel_height and what follows it: of the window, where there are columns.
 */
struct er_wide {
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *multipliers, *shifts;
    er_wide_scaling *scale;
    const er_wide_channel *narrow;
    int32_t doubled;
    int32_t channels, pixels, steps, chunk, column, packed, input_bytes, output_bytes;
    int32_t zero_in, zero_out, low, high;
    int32_t height, width, depth, kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int32_t out_width;
};

void er_wide_layer(const er_wide *layer, const void *in, void *out, int16_t *columns);

/* An output out of a sum without its bias, clamped. */
int32_t er_wide_output(const er_wide *layer, int32_t channel, int64_t sum);

/* Of int16: by a multiplier of 16 bits, and by one of 32. */
er_wide_scaling er_wide_short, er_wide_long;
/* As int8's, of sums of 32 bits: both roundings, and one. */
er_wide_scaling er_wide_twice, er_wide_once;

/* Sums of two channels for two pixels, and for one: [pixel][channel]. Of packed weights they are 16 times as large. */
void er_wide_sums_two(const int8_t *weights, const int16_t *x0, const int16_t *x1, int32_t steps, int32_t *sums);
void er_wide_sums(const int8_t *weights, const int16_t *x, int32_t steps, int32_t *sums);
void er_wide_packed(const int8_t *weights, const int16_t *x, int32_t steps, int32_t *sums);

#endif
