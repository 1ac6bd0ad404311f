#include "er_sc_depthwise.h"

#include "er_sc_depthwise_walk.h"

static void copy_bytes(const er_sc_depthwise *p, const int8_t *x, int32_t first, int32_t count, int8_t *to)
{
    const int32_t before = smaller(p->left, p->plane_width), inside = smaller(p->width, p->plane_width - before);
    const er_sc_bytes bytes = {
        before, inside, p->plane_width - before - inside, p->depth, p->width * p->depth, p->input_zero,
    };
    int32_t above = first < 0 ? smaller(-first, count) : 0;
    int32_t within = smaller(first + count, p->height) - (first + above);

    fill(to, p->input_zero, above * p->plane_width);
    to += above * p->plane_width;
    if (within > 0)
        er_sc_copy_bytes(&bytes, x + (first + above) * bytes.line, to, within);
    else
        within = 0;
    fill(to + within * p->plane_width, p->input_zero, (count - above - within) * p->plane_width);
}

void er_sc_depthwise_bytes(const er_sc_depthwise *p, const int8_t *x, int8_t *y, int8_t *plane, int32_t *sums,
                           er_sc_scale *scale)
{
    walk(p, x, y, plane, sums, 0x80, copy_bytes, scale);
}
