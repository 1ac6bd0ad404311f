"""Depthwise convolution of floats, eight channels at a time: 3.7 instructions a multiplication with 3x3
windows of 16 channels and clamping, 2.3 with 5x5 windows.

Counted on the simulated STM32F746.
"""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.requantize import finite_range
from edgerig.micro.c_text import c_float, initializer
from edgerig.micro.ir import DepthwiseConv2D, Node
from edgerig.micro.kernels.access import by_pixels, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_part import stands_for
from edgerig.micro.kernels.cortex_m.sources import sources
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.options import Options


class DepthwiseFloat(Kernel):
    """Any window, stride and dilation; padding less than the window, so that some tap of each output is inside."""

    name = "depthwise-f32"
    needs = frozenset({"thumb2", "fpu"})
    node = DepthwiseConv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, DepthwiseConv2D):
            return False
        floats = all(value.dtype == "float32" for value in (node.input, node.weights, node.output))
        return (
            floats
            and require(node.multiplier == 1, f"{node.multiplier} outputs of each channel, one is needed")
            and sizes_below((*node.input.shape, *node.output.shape), 1 << 15)
            and require(_sees_some(node), "padding as large as the window")
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        layer = depthwise_struct(node, context, "0", "0.0f", "0.0f")
        x, y = context.read(node.input), context.write(node.output)
        lines = [f"er_depthwise_f32_layer(&{layer}, er_depthwise_f32_pixel, {x}, {y});"]
        names = ["er_depthwise_f32.c", "er_depthwise_f32_pixel.c", "er_depthwise_f32.h", "er_depthwise_f32.S"]
        headers = ["er_depthwise_f32.h"]
        if node.activation != "NONE":
            low, high = finite_range(node.activation)
            lines.append(f"er_clamp_f32({y}, {node.output.elements}, {c_float(low)}, {c_float(high)});")
            names += ["er_dense_f32.c", "er_dense_f32.h"]
            headers.append("er_dense_f32.h")
        # Eight channels of a pixel are read and written, then the next.
        access = by_pixels(node.output, node.input, window_begins(node), mixed=True)
        return Lowered("\n".join(lines), sources(*names), tuple(headers), accesses=(access,))


def depthwise_struct(node: DepthwiseConv2D, context: Context, *limits: str) -> str:
    """Name of an er_depthwise_f32, with its ``limits`` as in C."""
    channels = node.weights.shape[3]
    bias = np.zeros(channels, np.float32) if node.bias is None else node.bias.array.reshape(-1).astype(np.float32)
    numbers = [
        context.constant("weights", node.weights.array.astype(np.float32), stands_for=stands_for(node)),
        context.constant("bias", bias),
        *node.input.shape[1:],
        *node.kernel,
        *node.stride,
        *node.dilation,
        node.padding.top,
        node.padding.left,
        *node.output.shape[1:3],
        *limits,
    ]
    return context.struct("layer", "er_depthwise_f32", initializer(numbers))


def _sees_some(node: DepthwiseConv2D) -> bool:
    """Each output has a tap inside of the image."""
    for axis in (0, 1):
        size, out = node.input.shape[axis + 1], node.output.shape[axis + 1]
        before = (node.padding.top, node.padding.left)[axis]
        taps = np.arange(node.kernel[axis]) * node.dilation[axis]
        places = np.arange(out)[:, None] * node.stride[axis] - before + taps[None, :]
        if not ((places >= 0) & (places < size)).any(1).all():
            return False
    return True
