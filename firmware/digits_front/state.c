/* What all files of a front reckon with. */
#define _GNU_SOURCE
#include "state.h"

#include <time.h>

uint64_t state_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t state_at_least(uint64_t number, uint64_t least)
{
    return number < least ? least : number;
}
