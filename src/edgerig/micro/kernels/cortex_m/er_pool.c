#include "er_pool.h"

/* Any four bytes. */
static uint32_t word_at(const int8_t *from)
{
    uint32_t word;
    __asm__("ldr %0, [%1]" : "=r"(word) : "r"(from), "m"(*(const int8_t(*)[4])from));
    return word;
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

/* Four channels of a window of rows by columns. */
static void four_channels(const er_average_pool *pool, const int8_t *in, int32_t rows, int32_t columns, int8_t *out)
{
    uint32_t even = 0, odd = 0;
    int32_t depth = pool->depth, count = rows * columns, skip = (pool->width - columns) * depth;
    if (skip == 0) {
        columns = count;
        rows = 1;
    }
    for (int32_t row = rows; row != 0; row--, in += skip) {
        for (int32_t column = columns; column != 0; column--, in += depth) {
            uint32_t word = word_at(in);
            even = add_even(even, word);
            odd = add_odd(odd, word);
        }
    }
    out[0] = mean(pool->low, pool->high, (int16_t)(uint16_t)even, count);
    out[1] = mean(pool->low, pool->high, (int16_t)(uint16_t)odd, count);
    out[2] = mean(pool->low, pool->high, (int16_t)(uint16_t)(even >> 16), count);
    out[3] = mean(pool->low, pool->high, (int16_t)(uint16_t)(odd >> 16), count);
}

void er_average_pool_s8(const er_average_pool *pool, const int8_t *in, int8_t *out)
{
    for (int32_t y = 0; y < pool->out_height; y++) {
        int32_t top = y * pool->stride_y - pool->top;
        int32_t first = larger(top, 0), rows = smaller(top + pool->window_height, pool->height) - first;
        for (int32_t x = 0; x < pool->out_width; x++) {
            int32_t left = x * pool->stride_x - pool->left;
            int32_t begin = larger(left, 0), columns = smaller(left + pool->window_width, pool->width) - begin;
            const int8_t *from = in + (first * pool->width + begin) * pool->depth;
            for (int32_t channel = 0; channel < pool->depth; channel += 4, out += 4)
                four_channels(pool, from + channel, rows, columns, out);
        }
    }
}
