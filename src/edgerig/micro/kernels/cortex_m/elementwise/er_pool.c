#include "er_pool.h"

/* Any four bytes. */
static uint32_t word_at(const int8_t *from)
{
    uint32_t word;
    __asm__("ldr %0, [%1]" : "=r"(word) : "r"(from), "m"(*(const int8_t (*)[4])from));
    return word;
}

static void put_word(int8_t *to, uint32_t word)
{
    __asm__("str %1, [%2]" : "=m"(*(int8_t (*)[4])to) : "r"(word), "r"(to));
}

/* Adds the even bytes of a word to the two halves of sums, sign-extended. */
static uint32_t add_even(uint32_t sums, uint32_t word)
{
    __asm__("sxtab16 %0, %0, %1" : "+r"(sums) : "r"(word));
    return sums;
}

static uint32_t add_odd(uint32_t sums, uint32_t word)
{
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sums) : "r"(word));
    return sums;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int8_t mean(int32_t low, int32_t high, int32_t sum, int32_t count)
{
    int32_t half = sum > 0 ? count / 2 : -(count / 2);
    return (int8_t)larger(low, smaller(high, (sum + half) / count));
}

/* The sum of four bytes, each 128 more than a signed one, and of sum. */
static uint32_t add_bytes(uint32_t sum, uint32_t word)
{
    __asm__("usada8 %0, %1, %2, %0" : "+r"(sum) : "r"(word ^ 0x80808080u), "r"(0));
    return sum;
}

void er_average_planes_s8(const int8_t *planes, int8_t *out, uint32_t channels, int32_t count, int32_t low,
                          int32_t high)
{
    uint32_t rest = (uint32_t)count % 4, unused = rest != 0 ? 0xFFFFFFFFu << (8 * rest) : 0;
    for (; channels != 0; channels--) {
        uint32_t sum = 0;
        for (int32_t words = count / 4; words != 0; words--, planes += 4)
            sum = add_bytes(sum, word_at(planes));
        if (rest != 0) {
            sum = add_bytes(sum, (word_at(planes) & ~unused) | (0x80808080u & unused));
            planes += 4;
        }
        *out++ = mean(low, high, (int32_t)sum - 128 * count, count);
    }
}

typedef struct sums {
    uint32_t even, odd; /* channels 0 and 2, 1 and 3 */
} sums;

/* Four channels of a window of rows by columns; skip: bytes from the end of a row to the beginning of the next. */
static sums sum_window(const int8_t *in, int32_t rows, int32_t columns, int32_t depth, int32_t skip)
{
    sums s = { 0, 0 };
    for (; rows != 0; rows--, in += skip) {
        for (int32_t column = columns; column != 0; column--, in += depth) {
            uint32_t word = word_at(in);
            s.even = add_even(s.even, word);
            s.odd = add_odd(s.odd, word);
        }
    }
    return s;
}

static int32_t lower_half(uint32_t word)
{
    return (int16_t)(uint16_t)word;
}

static int32_t upper_half(uint32_t word)
{
    return (int16_t)(uint16_t)(word >> 16);
}

/* Four channels of a window to out. */
typedef void window_run(const er_pool *pool, const int8_t *in, int32_t rows, int32_t columns, int8_t *out);

static void average(const er_pool *pool, const int8_t *in, int32_t rows, int32_t columns, int8_t *out)
{
    int32_t count = rows * columns, skip = (pool->width - columns) * pool->depth;
    sums s = skip == 0 ? sum_window(in, 1, count, pool->depth, 0) : sum_window(in, rows, columns, pool->depth, skip);
    out[0] = mean(pool->low, pool->high, lower_half(s.even), count);
    out[1] = mean(pool->low, pool->high, lower_half(s.odd), count);
    out[2] = mean(pool->low, pool->high, upper_half(s.even), count);
    out[3] = mean(pool->low, pool->high, upper_half(s.odd), count);
}

/* The greater of each two bytes. */
static uint32_t greater(uint32_t a, uint32_t b)
{
    uint32_t out;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(out) : "r"(a), "r"(b) : "cc");
    return out;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    uint32_t out;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(out) : "r"(a), "r"(b) : "cc");
    return out;
}

static void maximum(const er_pool *pool, const int8_t *in, int32_t rows, int32_t columns, int8_t *out)
{
    int32_t depth = pool->depth, skip = (pool->width - columns) * depth;
    uint32_t low = (uint32_t)(uint8_t)pool->low * 0x01010101u, high = (uint32_t)(uint8_t)pool->high * 0x01010101u;
    uint32_t most = word_at(in);
    for (; rows != 0; rows--, in += skip) {
        for (int32_t column = columns; column != 0; column--, in += depth)
            most = greater(most, word_at(in));
    }
    put_word(out, lesser(greater(most, low), high));
}

static void run(const er_pool *pool, const int8_t *in, int8_t *out, window_run *window)
{
    for (int32_t y = 0; y < pool->out_height; y++) {
        int32_t top = y * pool->stride_y - pool->top;
        int32_t first = larger(top, 0), rows = smaller(top + pool->window_height, pool->height) - first;
        for (int32_t x = 0; x < pool->out_width; x++) {
            int32_t left = x * pool->stride_x - pool->left;
            int32_t begin = larger(left, 0), columns = smaller(left + pool->window_width, pool->width) - begin;
            const int8_t *from = in + (first * pool->width + begin) * pool->depth;
            for (int32_t channel = 0; channel < pool->depth; channel += 4, out += 4)
                window(pool, from + channel, rows, columns, out);
        }
    }
}

void er_average_pool_s8(const er_pool *pool, const int8_t *in, int8_t *out)
{
    run(pool, in, out, average);
}

void er_max_pool_s8(const er_pool *pool, const int8_t *in, int8_t *out)
{
    run(pool, in, out, maximum);
}

/* shift is at least 1. */
static int8_t rescaled(const er_mean *p, int32_t sum)
{
    sum -= p->count_zero;
    int32_t high = (int32_t)(((int64_t)sum * p->multiplier + ((int64_t)1 << 30)) >> 31);
    int32_t value = ((high + (1 << (p->shift - 1)) - (high < 0)) >> p->shift) + p->output_zero;
    return (int8_t)larger(INT8_MIN, smaller(INT8_MAX, value));
}

void er_mean_s8(const er_mean *mean, const int8_t *in, int8_t *out)
{
    for (int32_t channel = 0; channel < mean->depth; channel += 4, out += 4) {
        sums s = sum_window(in + channel, 1, mean->count, mean->depth, 0);
        out[0] = rescaled(mean, lower_half(s.even));
        out[1] = rescaled(mean, lower_half(s.odd));
        out[2] = rescaled(mean, upper_half(s.even));
        out[3] = rescaled(mean, upper_half(s.odd));
    }
}
