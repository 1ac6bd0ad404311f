#include "er_float_conv.h"

static void window(const er_float_conv_shape *s, const float *in, int32_t y, int32_t x, int32_t pixels, float *to)
{
    er_float_spread *const spread = pixels == 3 ? er_float_spread_3 : er_float_spread_4;
    const int32_t channels = s->channels;
    y = y * s->stride_y - s->top;
    x = x * s->stride_x - s->left;
    const int32_t inside = x >= 0 && s->dilation_x == 1 && x + s->kernel_width <= s->width;
    for (int32_t ky = 0; ky < s->kernel_height; ky++, y += s->dilation_y) {
        if (inside && y >= 0 && y < s->height) {
            to = spread(in + (y * s->width + x) * channels, to, (uint32_t)(s->kernel_width * channels));
            continue;
        }
        for (int32_t kx = 0; kx < s->kernel_width; kx++) {
            const int32_t at = x + kx * s->dilation_x;
            if (y >= 0 && y < s->height && at >= 0 && at < s->width) {
                to = spread(in + (y * s->width + at) * channels, to, (uint32_t)channels);
            } else {
                for (int32_t i = 0; i < channels; i++, to += pixels)
                    *to = 0.0f;
            }
        }
    }
}

void er_float_conv(const er_float_conv_shape *shape, const er_float_tile *job, const er_float_tile *odd,
                   const float *in, float *out, float *columns)
{
    const int32_t count = shape->out_height * shape->out_width;
    const int32_t pixels = shape->pixels;
    er_float_tile_run *const run = pixels == 3 ? er_float_tile_3 : er_float_tile_4;
    for (int32_t pixel = 0; pixel < count; pixel += pixels) {
        /* The last tile may overlap the one before. */
        if (pixel + pixels > count)
            pixel = count - pixels;
        for (int32_t i = 0; i < pixels; i++)
            window(shape, in, (pixel + i) / shape->out_width, (pixel + i) % shape->out_width, pixels, columns + i);
        float *to = out + pixel * shape->out_channels;
        if (job->quads)
            run(job, columns, to);
        if (odd)
            run(odd, columns, to + shape->out_channels - 4);
    }
}

void er_float_conv_pool(const er_float_conv_shape *shape, const er_float_tile *job, const er_float_tile *odd,
                        const float *in, float *out, float *columns)
{
    for (int32_t y = 0; y < shape->out_height; y++) {
        for (int32_t x = 0; x < shape->out_width; x++, out += shape->out_channels) {
            for (int32_t i = 0; i < 4; i++)
                window(shape, in, 2 * y + i / 2, 2 * x + i % 2, 4, columns + i);
            if (job->quads)
                er_float_tile_pool(job, columns, out);
            if (odd)
                er_float_tile_pool(odd, columns, out + shape->out_channels - 4);
        }
    }
}
