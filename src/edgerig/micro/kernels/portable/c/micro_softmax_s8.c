#include "micro_softmax_s8.h"

#include "micro_requantize.h"

#define SUM_BITS 12

static int32_t shift_saturated(int32_t x, int32_t by)
{
    int64_t wide = (int64_t)x * ((int64_t)1 << by);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* exp(x) for x in [-1/4, 0) and no integer bits: a polynomial around -1/8. */
static int32_t exp_between(int32_t x)
{
    int32_t a = x + (1 << 28);
    int32_t a2 = micro_doubling_high(a, a);
    int32_t a3 = micro_doubling_high(a2, a);
    int32_t a4 = micro_doubling_high(a2, a2);
    int32_t term = micro_doubling_high(micro_divide_by_power(a4, 2) + a3, 715827883) + a2;
    return 1895147668 + micro_doubling_high(1895147668, a + micro_divide_by_power(term, 1));
}

/* exp(x) for x at most 0 with 5 integer bits. */
static int32_t exp_negative(int32_t x)
{
    static const int32_t factors[7] = { 1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242 };
    int32_t quarter = 1 << 24;
    int32_t offset = (x & (quarter - 1)) - quarter;
    int32_t made = exp_between(micro_shift_left(offset, 5));
    int32_t rest = offset - x;
    for (int32_t i = 0; i < 7; i++) {
        if (rest & (1 << (24 + i)))
            made = micro_doubling_high(made, factors[i]);
    }
    return x == 0 ? INT32_MAX : made;
}

/* 1 / (1 + x) for x in [0, 1) and no integer bits: Newton's division. */
static int32_t one_over_one_plus(int32_t x)
{
    int64_t sum = (int64_t)x + INT32_MAX;
    int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
    int32_t made = 1515870810 + micro_doubling_high(half, -1010580540);
    for (int32_t i = 0; i < 3; i++)
        made += shift_saturated(micro_doubling_high(made, (1 << 29) - micro_doubling_high(half, made)), 2);
    return shift_saturated(made, 1);
}

static int32_t leading_zeros(uint32_t x)
{
    int32_t count = 0;
    for (; x < 0x80000000u && count < 32; x <<= 1)
        count++;
    return count;
}

/* exp of a difference to the greatest value. */
static int32_t power(const micro_softmax_s8 *p, int32_t difference)
{
    return exp_negative(micro_doubling_high(micro_shift_left(difference, p->shift), p->multiplier));
}

static void row(const micro_softmax_s8 *p, const int8_t *x, int8_t *y)
{
    int32_t greatest = INT8_MIN, sum = 0;
    for (int32_t k = 0; k < p->depth; k++)
        greatest = x[k] > greatest ? x[k] : greatest;
    for (int32_t k = 0; k < p->depth; k++) {
        if (x[k] - greatest >= p->least)
            sum += micro_divide_by_power(power(p, x[k] - greatest), SUM_BITS);
    }
    int32_t zeros = leading_zeros((uint32_t)sum);
    int32_t reciprocal = one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
    int32_t shift = SUM_BITS - zeros + 31 - 8;
    for (int32_t k = 0; k < p->depth; k++) {
        int32_t value = INT8_MIN;
        if (x[k] - greatest >= p->least) {
            int32_t part = micro_doubling_high(reciprocal, power(p, x[k] - greatest));
            value = micro_clamp(micro_divide_by_power(part, shift) - 128, INT8_MIN, INT8_MAX);
        }
        y[k] = (int8_t)value;
    }
}

void micro_softmax_s8_run(const micro_softmax_s8 *p, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->rows; i++)
        row(p, x + i * p->depth, y + i * p->depth);
}
