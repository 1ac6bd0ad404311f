/* Depthwise convolution of floats, for FPUs with VFMA, and for Helium. */
#ifndef ER_DEPTHWISE_F32_H
#define ER_DEPTHWISE_F32_H

#include <stdint.h>

/* The assembly code knows the offsets. */
typedef struct er_depthwise_f32 {
    const float *weights, *bias;
    int16_t height, width, channels; /* of the input */
    int16_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x;
    int16_t top, left; /* padding */
    int16_t out_height, out_width;
    int32_t limits; /* 1: low, 2: high; er_depthwise_f32_pixel has none */
    float low, high;
} er_depthwise_f32;

/* The taps of one output pixel that lie inside of the image. The assembly code knows the offsets. */
typedef struct er_taps_f32 {
    const float *x, *weights; /* of the first tap */
    uint32_t rows, columns;
    uint32_t x_column, weight_column; /* bytes to the next tap of a row */
    uint32_t x_row, weight_row;       /* from behind the last tap of a row to the first of the next */
} er_taps_f32;

/* One output pixel of all channels; may change the taps. */
typedef void er_depthwise_f32_run(const er_depthwise_f32 *layer, er_taps_f32 *taps, float *out);
er_depthwise_f32_run er_depthwise_f32_pixel;

void er_depthwise_f32_layer(const er_depthwise_f32 *layer, er_depthwise_f32_run *run, const float *in, float *out);

/* 8, 4 or 1 channels: bias and products to out. */
void er_taps_f32_8(const er_taps_f32 *taps, const float *bias, float *out);
void er_taps_f32_4(const er_taps_f32 *taps, const float *bias, float *out);
void er_taps_f32_1(const er_taps_f32 *taps, const float *bias, float *out);

#endif
