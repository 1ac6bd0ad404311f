/* Depthwise convolutions of floats by Helium: pixels for er_depthwise_f32_layer. */
#ifndef ER_MVE_DEPTHWISE_F32_H
#define ER_MVE_DEPTHWISE_F32_H

#include "er_depthwise_f32.h"

er_depthwise_f32_run er_mve_depthwise_f32_pixel;

#endif
