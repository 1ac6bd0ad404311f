/* What the program of the parts that need no network needs of the machine that it runs on. */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>

void host_write(const char *text, uint32_t count);

#endif
