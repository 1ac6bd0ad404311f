/* Fixed point as gemmlowp has it: int32 with a number of integer bits, the rest behind the point. */
#ifndef MICRO_FIXED_POINT_H
#define MICRO_FIXED_POINT_H

#include "micro_requantize.h"

static inline int32_t micro_shift_saturated(int32_t x, int32_t by)
{
    int64_t wide = (int64_t)x * ((int64_t)1 << by);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* exp(x) for x in [-1/4, 0) and no integer bits: a polynomial around -1/8. */
static inline int32_t micro_exp_between(int32_t x)
{
    int32_t a = x + (1 << 28);
    int32_t a2 = micro_doubling_high(a, a);
    int32_t a3 = micro_doubling_high(a2, a);
    int32_t a4 = micro_doubling_high(a2, a2);
    int32_t term = micro_doubling_high(micro_divide_by_power(a4, 2) + a3, 715827883) + a2;
    return 1895147668 + micro_doubling_high(1895147668, a + micro_divide_by_power(term, 1));
}

/* exp(x) for x at most 0 with 5 integer bits. */
static inline int32_t micro_exp_negative(int32_t x)
{
    static const int32_t factors[7] = { 1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242 };
    int32_t quarter = 1 << 24;
    int32_t offset = (x & (quarter - 1)) - quarter;
    int32_t made = micro_exp_between(micro_shift_left(offset, 5));
    int32_t rest = offset - x;
    for (int32_t i = 0; i < 7; i++) {
        if (rest & (1 << (24 + i)))
            made = micro_doubling_high(made, factors[i]);
    }
    return x == 0 ? INT32_MAX : made;
}

/* 1 / (1 + x) for x in [0, 1) and no integer bits: Newton's division. */
static inline int32_t micro_one_over_one_plus(int32_t x)
{
    int64_t sum = (int64_t)x + INT32_MAX;
    int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
    int32_t made = 1515870810 + micro_doubling_high(half, -1010580540);
    for (int32_t i = 0; i < 3; i++)
        made += micro_shift_saturated(micro_doubling_high(made, (1 << 29) - micro_doubling_high(half, made)), 2);
    return micro_shift_saturated(made, 1);
}

static inline int32_t micro_leading_zeros(uint32_t x)
{
    int32_t count = 0;
    for (; x < 0x80000000u && count < 32; x <<= 1)
        count++;
    return count;
}

#endif
