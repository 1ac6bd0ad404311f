"""Channels that a fast kernel cannot do exactly: it gives them any constant, and portable code computes them after it.

So that one scale of a half or more, or one weight of -128 beside a negative one, costs one channel and not the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import Requantization, requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Value, Weighted
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.layouts import PLANAR

Mask = NDArray[np.bool_]


def few(left_out: Mask) -> bool:
    """Whether it is worth it: some channels, and at most a quarter; each costs as in portable code."""
    return 0 < int(left_out.sum()) <= len(left_out) // 4


def channels_of(left_out: Mask) -> tuple[int, ...]:
    """Their numbers."""
    return tuple(np.flatnonzero(left_out).tolist())


def without(scale: Requantization, left_out: Mask) -> Requantization:
    """With numbers that any kernel can do in the channels that it leaves out, whose sums are 0."""
    return replace(
        scale,
        bias=np.where(left_out, 0, scale.bias).astype(np.int32),
        multipliers=np.where(left_out, 1 << 30, scale.multipliers).astype(np.int32),
        exponents=np.where(left_out, -1, scale.exponents).astype(np.int32),
    )


def patched(lowered: Lowered, node: Weighted, channels: Sequence[int], context: Context) -> Lowered:
    """The kernel's C, and behind it what computes ``channels``; the output then takes no input's place."""
    if not channels:
        return lowered
    scale, weights = requantization(node), _weights(node, channels)
    zeros = node.input.zero_point * weights.astype(np.int64).sum(1)
    name = context.constant("patch", weights)
    rows = [
        f"{{ {name} + {index * weights.shape[1]}, {int(scale.bias[channel]) + int(zeros[index])}, "
        f"{scale.multipliers[channel]}, {scale.exponents[channel]}, {channel} }}"
        for index, channel in enumerate(channels)
    ]
    each = context.struct("patched", "er_patch_channel", "{ " + ", ".join(rows) + " }", len(rows))
    numbers = [
        each,
        len(rows),
        int(scale.once),
        *_geometry(node),
        *_strides(context, node.input),
        *_strides(context, node.output),
        node.input.zero_point,
        scale.zero_point,
        scale.low,
        scale.high,
    ]
    patch = context.struct("patch", "er_patch", initializer(numbers))
    more = calling("", "er_patch.h", "er_patch.c")
    call = f"er_patch_run(&{patch}, {context.read(node.input)}, {context.write(node.output)});"
    return replace(
        lowered,
        body=f"{lowered.body}\n{call}",
        files=(*lowered.files, *more.files),
        headers=(*lowered.headers, *more.headers),
        overlays=(),
        # The image is read again at the end.
        accesses=(),
    )


def _weights(node: Weighted, channels: Sequence[int]) -> NDArray[np.int8]:
    """A row for each of the channels: taps in the order of the file, inputs of each."""
    array = node.weights.array
    chosen = array[0].transpose(2, 0, 1) if isinstance(node, DepthwiseConv2D) else array
    return np.ascontiguousarray(chosen[list(channels)].reshape(len(channels), -1), np.int8)


def _geometry(node: Weighted) -> list[int]:
    if isinstance(node, FullyConnected):
        return [1, 1, node.weights.shape[1], 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert isinstance(node, Conv2D | DepthwiseConv2D)
    depth = 0 if isinstance(node, DepthwiseConv2D) else node.weights.shape[3]
    image, padding = node.input.shape[1:3], node.padding
    return [
        *(*image, depth, *node.output.shape[1:3], *node.kernel, *node.stride, *node.dilation),
        *(padding.top, padding.left),
    ]


def _strides(context: Context, value: Value) -> tuple[int, int]:
    """Bytes from channel to channel and from pixel to pixel."""
    channels = value.shape[-1]
    if context.layout(value) == PLANAR:
        return -(-(value.elements // channels) // 4) * 4, 1
    return 1, channels
