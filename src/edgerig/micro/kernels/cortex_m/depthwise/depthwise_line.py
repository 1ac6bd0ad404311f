"""Depthwise convolution along a line and the pointwise one after it (int8), as networks for sound in time have it.

Instructions counted on the simulated STM32F746, depthwise part per output: 15 with 5
taps, 21 with 10; 26 with 3 taps of an input that lies pixel by pixel.
"""

from __future__ import annotations

import numpy as np

from edgerig.micro.ir import Conv2D, DepthwiseConv2D
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.cortex_m.depthwise.depthwise import First, lower_separable
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_kernels import SeparableKernel
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_line_code import Line, depthwise_line
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_part import stands_for
from edgerig.micro.kernels.cortex_m.depthwise.taps import taps_fit, taps_scales
from edgerig.micro.kernels.layouts import PLANAR
from edgerig.micro.kernels.refusals import Answer, by, counted, require

#: Outputs below which widening the line does not pay.
_LEAST = 4


class SeparableLine(SeparableKernel):
    """One row or one column of pixels, stride 1, no padding."""

    name = "depthwise-line-pointwise"

    def fits(self, first: DepthwiseConv2D) -> Answer:
        pixels = first.output.elements // first.output.shape[3]
        return (
            first.input.dtype == "int8"
            and require(1 in first.input.shape[1:3], f"an image of {by(first.input.shape[1:3])}, no line")
            and require((first.stride, first.dilation) == ((1, 1), (1, 1)), "stride or dilation of more than 1")
            and require(pixels >= _LEAST, f"{counted(pixels, 'output pixel')}, at least {_LEAST} are needed")
            and taps_fit(first)
            and require(_line(first, True).fits(), "a line or window beyond the reach of its instructions")
        )

    def lower_pair(self, first: DepthwiseConv2D, second: Conv2D, context: Context) -> Lowered:
        line = _line(first, context.layout(first.input) == PLANAR)
        taps = first.weights.array.reshape(line.taps, -1).T
        padded = np.pad(taps, ((0, 0), (0, -line.taps % 4))).astype(np.int8)
        weights = context.constant("depthwise", padded, stands_for=stands_for(first))
        scales = context.constant("depthwise_scales", taps_scales(first))
        part = First(depthwise_line(line), line, weights, scales, 2 * first.output.zero_point + 1, 1)
        return lower_separable(first, part, second, context)


def _line(node: DepthwiseConv2D, planar: bool) -> Line:
    channels = node.input.shape[3]
    length, out_length = (value.elements // channels for value in (node.input, node.output))
    return Line(channels, length, out_length, 1, 1, 0, 0, 0, planar, taps=max(node.kernel))
