"""Depthwise convolution with any window, alone or with the pointwise convolution that follows it (int8).

What `depthwise` and `depthwise_line` do not take: 5x5, 7x7, dilated, one row or column with padding, very wide images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir import Conv2D, DepthwiseConv2D
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below
from edgerig.micro.kernels.cortex_m.depthwise.depthwise import First, lower_separable
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_kernels import AloneKernel, SeparableKernel
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_window_code import Window, depthwise_window
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_part import stands_for
from edgerig.micro.kernels.cortex_m.depthwise.scaling import Scaling, twice
from edgerig.micro.kernels.layouts import PLANAR
from edgerig.micro.kernels.refusals import Answer, by, counted, exact, require

#: Output pixels below which unpacking the weights does not pay.
_LEAST = 4


class DepthwiseWindow(AloneKernel):
    """The convolution alone."""

    name = "depthwise-window"

    def fits(self, node: DepthwiseConv2D) -> Answer:
        return _fits(node, True)

    def lower_alone(self, node: DepthwiseConv2D, context: Context) -> Lowered:
        return _lower(node, None, context)


class SeparableWindow(SeparableKernel):
    """With the pointwise convolution after it."""

    name = "depthwise-window-pointwise"

    def fits(self, first: DepthwiseConv2D) -> Answer:
        pixels = first.output.elements // first.output.shape[3]
        return (
            first.input.dtype == "int8"
            and require(pixels >= _LEAST, f"{counted(pixels, 'output pixel')}, at least {_LEAST} are needed")
            and _fits(first, False)
        )

    def lower_pair(self, first: DepthwiseConv2D, second: Conv2D, context: Context) -> Lowered:
        return _lower(first, second, context)


def _lower(node: DepthwiseConv2D, second: Conv2D | None, context: Context) -> Lowered:
    scaling = twice(node, second is None)
    assert isinstance(scaling, Scaling)
    window = _window(node, context.layout(node.input) == PLANAR)
    weights = context.constant("depthwise", _packed(node, scaling, window), stands_for=stands_for(node))
    scales = context.constant("depthwise_scales", scaling.numbers)
    first = First(depthwise_window(window), window, weights, scales, 0, node.output.shape[1], scaling.left_out)
    return lower_separable(node, first, second, context)


def _packed(node: DepthwiseConv2D, scaling: Scaling, window: Window) -> NDArray[np.int8]:
    """Channel, row of taps, taps with the zeros of the dilation, up to whole words."""
    weights = scaling.weights(node).transpose(2, 0, 1)
    packed = np.zeros((*weights.shape[:2], window.packed), np.int8)
    packed[..., : window.taps[1] : node.dilation[1]] = weights
    return packed


def _window(node: DepthwiseConv2D, planar: bool) -> Window:
    _, height, width, channels = node.input.shape
    taps = (node.kernel[0], (node.kernel[1] - 1) * node.dilation[1] + 1)
    return Window(
        channels,
        width,
        node.output.shape[2],
        height,
        node.stride[0],
        node.padding.left,
        node.padding.right,
        None,
        planar,
        taps=taps,
        row_step=node.dilation[0],
        stride_x=node.stride[1],
    )


def _fits(node: DepthwiseConv2D, patches: bool) -> Answer:
    if node.input.dtype != "int8":
        return False
    window, padding, (height, width) = _window(node, True), node.padding, node.input.shape[1:3]
    inside = max(padding.top, padding.bottom) < window.window and max(padding.left, padding.right) < window.taps[1]
    return (
        require(node.stride[1] in (1, 2), f"stride {by(node.stride)}, 1 or 2 along rows is needed")
        and require(node.multiplier == 1, f"{node.multiplier} outputs of each channel, one is needed")
        and require(inside, "padding as large as the window")
        and require(window.fits(), f"a window of {by(node.kernel)} on rows of {width} pixels, beyond its instructions")
        and sizes_below((*node.input.shape, height + padding.top + padding.bottom), 1 << 16)
        and exact(twice(node, patches))
    )
