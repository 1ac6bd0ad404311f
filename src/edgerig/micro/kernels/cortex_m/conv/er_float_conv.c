#include "er_float_conv.h"

static void window(const er_float_conv_shape *s, const float *in, int32_t y, int32_t x, int32_t pixels, float *to)
{
    er_float_spread *const spread = pixels == 3 ? er_float_spread_3 : er_float_spread_4;
    const int32_t channels = s->channels, pitch = s->width * channels;
    y = y * s->stride_y - s->top;
    x = x * s->stride_x - s->left;
    const int32_t below = y + (s->kernel_height - 1) * s->dilation_y;
    if (x >= 0 && s->dilation_x == 1 && x + s->kernel_width <= s->width && y >= 0 && below < s->height) {
        spread(in + y * pitch + x * channels, to, (uint32_t)(s->kernel_width * channels), (uint32_t)s->kernel_height,
               (uint32_t)(pitch * s->dilation_y) * sizeof(float));
        return;
    }
    for (int32_t ky = 0; ky < s->kernel_height; ky++, y += s->dilation_y) {
        for (int32_t kx = 0; kx < s->kernel_width; kx++) {
            const int32_t at = x + kx * s->dilation_x;
            if (y >= 0 && y < s->height && at >= 0 && at < s->width) {
                to = spread(in + y * pitch + at * channels, to, (uint32_t)channels, 1, 0);
            } else {
                for (int32_t i = 0; i < channels; i++, to += pixels)
                    *to = 0.0f;
            }
        }
    }
}

/* One tile for all channels; where there are fewer than four, by way of few. */
static void tile(const er_float_conv_shape *s, er_float_tile_run *run, const er_float_tile *job,
                 const er_float_tile *odd, const float *columns, float *out, int32_t pixels, float *few)
{
    if (job->quads)
        run(job, columns, few ? few : out);
    if (odd)
        run(odd, columns, out + s->out_channels - 4);
    if (few) {
        for (int32_t pixel = 0; pixel < pixels; pixel++, few += 4)
            for (int32_t channel = 0; channel < s->out_channels; channel++)
                *out++ = few[channel];
    }
}

void er_float_conv(const er_float_conv_shape *shape, const er_float_tile *job, const er_float_tile *odd,
                   const float *in, float *out, float *columns, float *few)
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
        tile(shape, run, job, odd, columns, out + pixel * shape->out_channels, pixels, few);
    }
}

void er_float_conv_pool(const er_float_conv_shape *shape, const er_float_tile *job, const er_float_tile *odd,
                        const float *in, float *out, float *columns, float *few)
{
    for (int32_t y = 0; y < shape->out_height; y++) {
        for (int32_t x = 0; x < shape->out_width; x++, out += shape->out_channels) {
            for (int32_t i = 0; i < 4; i++)
                window(shape, in, 2 * y + i / 2, 2 * x + i % 2, 4, columns + i);
            tile(shape, er_float_tile_pool, job, odd, columns, out, 1, few);
        }
    }
}
