#include "er_patch.h"

#include "er_scaled.h"

static int32_t scaled(const er_patch *patch, const er_patch_channel *channel, int32_t sum)
{
    return patch->once ? er_scaled_once(sum, channel->multiplier, channel->exponent)
                       : er_scaled_twice(sum, channel->multiplier, channel->exponent);
}

static int32_t sum_at(const er_patch *patch, const er_patch_channel *channel, const int8_t *in, int32_t y, int32_t x)
{
    const int32_t depth = patch->depth ? patch->depth : 1;
    const int8_t *weights = channel->weights;
    int32_t sum = channel->bias;
    if (!patch->depth)
        in += channel->channel * patch->in_channel;
    for (int32_t ky = 0; ky < patch->kernel_height; ky++) {
        const int32_t row = y * patch->stride_y - patch->top + ky * patch->dilation_y;
        for (int32_t kx = 0; kx < patch->kernel_width; kx++, weights += depth) {
            const int32_t column = x * patch->stride_x - patch->left + kx * patch->dilation_x;
            if (row < 0 || row >= patch->height || column < 0 || column >= patch->width)
                continue;
            const int8_t *from = in + (row * patch->width + column) * patch->in_pixel;
            for (int32_t i = 0; i < depth; i++, from += patch->in_channel)
                sum += (*from - patch->zero_in) * weights[i];
        }
    }
    return sum;
}

void er_patch_run(const er_patch *patch, const int8_t *in, int8_t *out)
{
    for (int32_t y = 0; y < patch->out_height; y++) {
        for (int32_t x = 0; x < patch->out_width; x++, out += patch->out_pixel) {
            for (int32_t i = 0; i < patch->count; i++) {
                const er_patch_channel *const channel = &patch->channels[i];
                const int32_t value = scaled(patch, channel, sum_at(patch, channel, in, y, x)) + patch->zero_out;
                out[channel->channel * patch->out_channel] = er_limited(value, patch->low, patch->high);
            }
        }
    }
}
