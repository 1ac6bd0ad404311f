#include "er_sc_depthwise.h"

#include "er_sc_depthwise_walk.h"

/* Every step-th byte. */
static void collect(int8_t *to, const int8_t *from, int32_t step, int32_t count)
{
    for (; count >= 4; count -= 4, to += 4) {
        const int8_t *const second = from + step, *const third = second + step, *const fourth = third + step;
        const int8_t a = *from, b = *second, c = *third, d = *fourth;
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
        from = fourth + step;
    }
    for (; count > 0; count--, from += step)
        *to++ = *from;
}

static void copy_rows(const er_sc_depthwise *p, const int8_t *x, int32_t first, int32_t count, int8_t *to)
{
    const int32_t before = smaller(p->left, p->plane_width), inside = smaller(p->width, p->plane_width - before);
    const int32_t after = p->plane_width - before - inside;

    x += first * p->width * p->depth;
    for (int32_t row = first; row < first + count; row++, x += p->width * p->depth, to += p->plane_width) {
        if (row < 0 || row >= p->height) {
            fill(to, p->input_zero, p->plane_width);
            continue;
        }
        fill(to, p->input_zero, before);
        collect(to + before, x, p->depth, inside);
        fill(to + before + inside, p->input_zero, after);
    }
}

ALWAYS void once(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count, int8_t *y,
                 int32_t step)
{
    er_sc_scale_each(channel, range, sums, count, y, step, er_sc_once);
}

ALWAYS void twice(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count, int8_t *y,
                  int32_t step)
{
    er_sc_scale_each(channel, range, sums, count, y, step, er_sc_twice);
}

void er_sc_depthwise_once(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums)
{
    walk(p, x, y, plane, sums, 0, copy_rows, once);
}

void er_sc_depthwise_twice(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums)
{
    walk(p, x, y, plane, sums, 0, copy_rows, twice);
}
