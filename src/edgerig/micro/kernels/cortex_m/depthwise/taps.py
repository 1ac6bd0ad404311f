"""Depthwise convolution along one axis (int8), as streaming networks have it: a window of some steps in time.

Four channels at a time, taps in pairs; instructions counted on the simulated STM32F746: 2.6 per multiplication and 15
per output.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import DepthwiseConv2D, Node
from edgerig.micro.kernels.access import by_groups, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.checks import full_range, sizes_below
from edgerig.micro.kernels.cortex_m.conv.pairs import exponents_fit
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer, by, require
from edgerig.micro.options import Options


class DepthwiseTaps(Kernel):
    """A window of one row or of one column, no padding, any stride and dilation."""

    name = "depthwise-taps"
    needs = frozenset({"thumb2", "dsp"})
    node = DepthwiseConv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, DepthwiseConv2D) and taps_fit(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        _, _, width, channels = node.input.shape
        along = node.kernel[0] > 1
        numbers = [
            context.constant("taps", taps_stream(node), stands_for=tuple(node.inputs[1:])),
            node.dilation[0] * width * channels if along else node.dilation[1] * channels,
            node.stride[1] * channels,
            node.stride[0] * width * channels,
            max(node.kernel),
            channels,
            *node.output.shape[1:3],
            2 * node.output.zero_point + 1,
        ]
        layer = context.struct("layer", "er_taps", initializer(numbers))
        call = f"er_taps_layer(&{layer}, {context.read(node.input)}, {context.write(node.output)});"
        access = by_groups(node.output, node.input, window_begins(node), 4)
        return replace(calling(call, "er_taps.h", "er_taps.c", "er_taps.S"), accesses=(access,))


def taps_fit(node: DepthwiseConv2D) -> Answer:
    """A window of one row or one column without padding, with numbers that fit into `taps_scales`."""
    line = min(node.kernel) == 1 and max(node.kernel) > 1
    return (
        node.input.dtype == "int8"
        and require(line, f"{by(node.kernel)} window, one row or column is needed")
        and require(node.padding.none, "padding")
        and require(node.multiplier == 1, f"{node.multiplier} outputs of each channel, one is needed")
        and sizes_below((*node.input.shape, *node.kernel, *node.output.shape), 1 << 16)
        and _numbers_fit(node)
    )


def _numbers_fit(node: DepthwiseConv2D) -> Answer:
    scales = requantization(node)
    small = (np.abs(scales.bias.astype(np.int64)) < 1 << 23).all() and 128 * 128 * max(node.kernel) < 1 << 28
    return (
        full_range(scales.low, scales.high)
        and require(bool(small), "sums of more than 23 bits")
        and exponents_fit(scales.exponents)
    )


def taps_scales(node: DepthwiseConv2D) -> NDArray[np.int32]:
    """By channel ``256 * bias + shift - 1`` and multiplier."""
    scales = requantization(node)
    first = 256 * scales.bias.astype(np.int64) - scales.exponents - 1
    return np.stack([first, scales.multipliers], 1).astype(np.int32)


def taps_stream(node: DepthwiseConv2D) -> NDArray[np.uint32]:
    """Weights and scales as er_taps.S wants them, a row for each four channels."""
    channels = node.weights.shape[-1]
    groups = -(-channels // 4)
    weights = np.zeros((max(node.kernel), groups * 4), np.int8)
    weights[:, :channels] = node.weights.array.reshape(-1, channels)
    odd = len(weights) % 2
    first = weights[:odd].reshape(odd, groups, 4).transpose(1, 0, 2).reshape(groups, -1)
    # Pair, tap a or b, group, half a group, channel -> group, pair, half, tap, channel.
    pairs = weights[odd:].reshape(-1, 2, groups, 2, 2).transpose(2, 0, 3, 1, 4).reshape(groups, -1)
    taps = np.ascontiguousarray(np.concatenate([first, pairs], 1)).view(np.uint32)
    numbers = np.zeros((groups * 4, 2), np.int32)
    numbers[:channels] = taps_scales(node)
    return np.concatenate([taps, numbers.reshape(groups, 8).view(np.uint32)], 1)
