/* The board and what its firmware was built with. */
#ifndef MACHINE_H
#define MACHINE_H

#include "../../core/er_device.h"

extern const er_machine machine;

#endif
