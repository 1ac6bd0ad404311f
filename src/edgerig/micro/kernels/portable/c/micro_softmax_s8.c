#include "micro_softmax_s8.h"

#include "micro_fixed_point.h"

#define SUM_BITS 12

/* exp of a difference to the greatest value. */
static int32_t power(const micro_softmax_s8 *p, int32_t difference)
{
    return micro_exp_negative(micro_doubling_high(micro_shift_left(difference, p->shift), p->multiplier));
}

static int32_t greatest_of(const micro_softmax_s8 *p, const int8_t *x)
{
    int32_t greatest = INT8_MIN;
    for (int32_t k = 0; k < p->depth; k++)
        greatest = x[k] > greatest ? x[k] : greatest;
    return greatest;
}

/* The sum of exp of all differences that count, with 12 integer bits; at most what these hold, beyond which each share
 * of it is 0 in 8 bits. */
static int32_t sum_of(const micro_softmax_s8 *p, const int8_t *x, int32_t greatest)
{
    int32_t sum = 0;
    for (int32_t k = 0; k < p->depth; k++) {
        int32_t part = x[k] - greatest >= p->least ? micro_divide_by_power(power(p, x[k] - greatest), SUM_BITS) : 0;
        sum = sum > INT32_MAX - part ? INT32_MAX : sum + part;
    }
    return sum;
}

static void row(const micro_softmax_s8 *p, const int8_t *x, int8_t *y)
{
    int32_t greatest = greatest_of(p, x), sum = sum_of(p, x, greatest);
    int32_t zeros = micro_leading_zeros((uint32_t)sum);
    int32_t reciprocal = micro_one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
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

/* log(x) for x of at least 1 with 12 integer bits; the result has 5. x is 2^n r, taken apart in two ways: r about 1, or
 * about the root of a half. The greater n with the smaller r gives n log(2) + log(r), the latter by a quotient of
 * polynomials around the fourth root of a half. */
static int32_t logarithm(int32_t x)
{
    const int32_t quarter = 1 << 23, half_root = 1518500250, fourth_root = 1805811301;
    int32_t zeros = micro_leading_zeros((uint32_t)x);
    int32_t first = micro_shift_saturated(micro_doubling_high(micro_shift_left(x, zeros - 1), half_root), 1);
    int32_t first_exponent = (SUM_BITS - zeros) * (1 << 25) + quarter;
    int32_t second_zeros = micro_leading_zeros((uint32_t)micro_doubling_high(x, half_root)) - 1;
    int32_t second = micro_shift_saturated(x, second_zeros);
    int32_t second_exponent = (SUM_BITS - second_zeros) * (1 << 25) - quarter;
    int32_t r = first < second ? first : second;
    int32_t exponent = first_exponent > second_exponent ? first_exponent : second_exponent;

    int32_t mean = (int32_t)(((int64_t)r + fourth_root + 1) / 2);
    int32_t q = 2 * (r - fourth_root);
    int32_t square = micro_doubling_high(q, q);
    int32_t above = micro_doubling_high(q, r) + micro_doubling_high(micro_doubling_high(q, square), 117049297);
    int32_t inner = 1057819769 + q + micro_doubling_high(127690142, square);
    int32_t below = micro_doubling_high(mean, inner) + micro_doubling_high(638450708, q);
    int32_t quotient = micro_doubling_high(micro_divide_by_power(above, 6), micro_one_over_one_plus(below));
    return micro_shift_saturated(micro_doubling_high(exponent, 1488522236) + quotient, 1);
}

static void log_row(const micro_softmax_s8 *p, const int8_t *x, int8_t *y)
{
    int32_t top = greatest_of(p, x);
    int32_t sum = logarithm(sum_of(p, x, top));
    /* What is further away than this would not fit into 32 bits, or is as little as nothing. */
    int32_t least = micro_scale_twice(sum + INT32_MIN, p->back_multiplier, p->back_exponent);
    if (least < p->least - 1)
        least = p->least - 1;
    for (int32_t k = 0; k < p->depth; k++) {
        int32_t value = INT8_MIN;
        if (x[k] - top > least) {
            int32_t scaled = micro_doubling_high(micro_shift_left(x[k] - top, p->shift), p->multiplier);
            value = micro_clamp(micro_divide_by_power(scaled - sum, 22) + 127, INT8_MIN, INT8_MAX);
        }
        y[k] = (int8_t)value;
    }
}

void micro_log_softmax_s8_run(const micro_softmax_s8 *p, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->rows; i++)
        log_row(p, x + i * p->depth, y + i * p->depth);
}
