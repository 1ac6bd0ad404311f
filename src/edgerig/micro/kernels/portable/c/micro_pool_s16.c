#include "micro_pool_s16.h"

#include "micro_requantize.h"

/* The greatest of the values of channel c that the output pixel sees, or their mean. */
static int32_t pooled(const micro_pool_s8 *p, const int16_t *x, int32_t pixel, int32_t c, int32_t averages)
{
    int32_t top = pixel / p->out_width * p->stride_y - p->top, left = pixel % p->out_width * p->stride_x - p->left;
    int32_t best = INT16_MIN, sum = 0, count = 0;
    for (int32_t i = 0; i < p->window_height; i++) {
        for (int32_t j = 0; j < p->window_width; j++) {
            if (top + i < 0 || top + i >= p->height || left + j < 0 || left + j >= p->width)
                continue;
            int32_t value = x[((top + i) * p->width + left + j) * p->depth + c];
            best = value > best ? value : best;
            sum += value;
            count++;
        }
    }
    return averages ? (sum + (sum > 0 ? count / 2 : -(count / 2))) / count : best;
}

static void walk(const micro_pool_s8 *p, const int16_t *x, int16_t *y, int32_t averages)
{
    for (int32_t pixel = 0; pixel < p->out_height * p->out_width; pixel++)
        for (int32_t c = 0; c < p->depth; c++)
            *y++ = (int16_t)micro_clamp(pooled(p, x, pixel, c, averages), p->low, p->high);
}

void micro_max_pool_s16_run(const micro_pool_s8 *p, const int16_t *x, int16_t *y)
{
    walk(p, x, y, 0);
}

void micro_average_pool_s16_run(const micro_pool_s8 *p, const int16_t *x, int16_t *y)
{
    walk(p, x, y, 1);
}

void micro_mean_s16_run(const micro_mean_s8 *p, const int16_t *x, int16_t *y)
{
    const int32_t *n = p->kept, *s = p->kept_step, *m = p->summed, *t = p->summed_step;
    for (int32_t kept = 0; kept < n[0] * n[1] * n[2]; kept++) {
        const int16_t *from = x + kept / (n[1] * n[2]) * s[0] + kept / n[2] % n[1] * s[1] + kept % n[2] * s[2];
        int32_t sum = 0;
        for (int32_t i = 0; i < m[0]; i++)
            for (int32_t j = 0; j < m[1]; j++)
                for (int32_t k = 0; k < m[2]; k++)
                    sum += from[i * t[0] + j * t[1] + k * t[2]];
        *y++ = (int16_t)micro_clamp(micro_scale_twice(sum, p->multiplier, p->exponent), INT16_MIN, INT16_MAX);
    }
}
