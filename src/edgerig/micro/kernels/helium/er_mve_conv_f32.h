/* Float convolutions by Helium: products of four channels an instruction.
 *
 * These run on what er_mve_conv.h has for int8, with all sizes in bytes: channels, tail (4 to 16) and the depth are four
 * times their numbers. The stream holds for each eight output channels, in the end for the last four or fewer, the
 * weights of each input in turn, and behind them the biases; channels are filled up to fours. Of the conv's numbers zero
 * says what there is of limits (1: low, 2: high), and low and high are those of floats, bit by bit. */
#ifndef ER_MVE_CONV_F32_H
#define ER_MVE_CONV_F32_H

#include "er_mve_conv.h"

er_mve_conv_run er_mve_conv_f32;
er_mve_pool_run er_mve_conv_pool_f32;

#endif
