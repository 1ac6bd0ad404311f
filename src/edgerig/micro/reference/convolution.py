"""Convolutions and dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.micro.arithmetic.conversion import round_away
from edgerig.micro.arithmetic.int16 import matmul16, requantization16
from edgerig.micro.arithmetic.requantize import effective_scales, real_range, requantization, scale_by, scale_twice
from edgerig.micro.arithmetic.scales import matmul_scale
from edgerig.micro.ir import (
    BatchMatMul,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Node,
    Padding,
    TransposeConv,
    Weighted,
)
from edgerig.micro.reference.operation import Array, Operation


def windows(
    image: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
    fill: Any,
) -> Array:
    """What each output pixel sees of ``image`` (1, H, W, C): (OH, OW, KH, KW, C), a view."""
    pads = ((padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    full = np.pad(image[0], pads, constant_values=fill)
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    seen = np.lib.stride_tricks.sliding_window_view(full, reach, axis=(0, 1))
    seen = seen[:: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return seen.transpose(0, 1, 3, 4, 2)


def convolution(node: Conv2D, inputs: list[Array]) -> list[Array]:
    """CONV_2D."""
    image, weights = inputs[0], inputs[1]
    fill = node.input.zero_point if image.dtype == np.int8 else 0
    seen = windows(image, node.kernel, node.stride, node.dilation, node.padding, fill)
    kind = _wide(image)
    pairs = zip(np.split(seen, node.groups, axis=4), np.split(weights, node.groups), strict=True)
    parts = [np.tensordot(part.astype(kind), rows.astype(kind), axes=((2, 3, 4), (1, 2, 3))) for part, rows in pairs]
    out = np.concatenate(parts, axis=2)
    return [finish(node, out, inputs).reshape(node.output.shape)]


def depthwise(node: DepthwiseConv2D, inputs: list[Array]) -> list[Array]:
    """DEPTHWISE_CONV_2D."""
    image, weights = inputs[0], inputs[1]
    fill = node.input.zero_point if image.dtype == np.int8 else 0
    seen = windows(image, node.kernel, node.stride, node.dilation, node.padding, fill)
    kind = _wide(image)
    seen = np.repeat(seen.astype(kind), node.multiplier, axis=-1)
    out = (seen * weights[0].astype(kind)).sum((2, 3))
    return [finish(node, out, inputs).reshape(node.output.shape)]


def transposed(node: TransposeConv, inputs: list[Array]) -> list[Array]:
    """TRANSPOSE_CONV: each input pixel adds the kernel, times its value, to the output."""
    image, weights = inputs[0], inputs[1]
    kind = _wide(image)
    source = image[0].astype(kind)
    if image.dtype == np.int8:
        source = source - node.input.zero_point
    (height, width), (kh, kw), (sh, sw) = source.shape[:2], node.kernel, node.stride
    full = np.zeros(((height - 1) * sh + kh, (width - 1) * sw + kw, weights.shape[0]), kind)
    for y in range(kh):
        for x in range(kw):
            part = source @ weights[:, y, x, :].astype(kind).T
            full[y : y + (height - 1) * sh + 1 : sh, x : x + (width - 1) * sw + 1 : sw] += part
    _, out_height, out_width, channels = node.output.shape
    top, left = node.padding.top, node.padding.left
    out = np.zeros((out_height, out_width, channels), kind)
    cropped = full[top : top + out_height, left : left + out_width]
    out[: cropped.shape[0], : cropped.shape[1]] = cropped
    return [finish(node, out, inputs).reshape(node.output.shape)]


def dense(node: FullyConnected, inputs: list[Array]) -> list[Array]:
    """FULLY_CONNECTED."""
    kind = _wide(inputs[0])
    rows = inputs[0].reshape(-1, inputs[1].shape[1]).astype(kind)
    return [finish(node, rows @ inputs[1].astype(kind).T, inputs).reshape(node.output.shape)]


def batch_matmul(node: BatchMatMul, inputs: list[Array]) -> list[Array]:
    """BATCH_MATMUL."""
    kind = _wide(inputs[0])
    sides = []
    for content, value, turned in zip(inputs, node.inputs, node.transposed, strict=True):
        side = content.astype(kind) - (value.zero_point if content.dtype == np.int8 else 0)
        sides.append(side.swapaxes(-1, -2) if turned else side)
    sums = sides[0] @ sides[1]
    if inputs[0].dtype == np.int16:
        return [matmul16(node, sums)]
    if inputs[0].dtype != np.int8:
        return [sums.astype(np.float32)]
    scaled = scale_by(matmul_scale(node), sums) + node.output.zero_point
    return [np.clip(scaled, -128, 127).astype(np.int8)]


def finish(node: Weighted, sums: Array, inputs: list[Array]) -> Array:
    """Bias, requantization, activation; channels are the last axis of ``sums``."""
    if inputs[0].dtype == np.int16:
        return requantization16(node).apply(sums)
    if inputs[0].dtype != np.int8:
        low, high = real_range(node.activation)
        bias = inputs[2].reshape(-1) if len(inputs) > 2 else 0.0
        return np.clip(sums + bias, low, high).astype(np.float32)
    scales = requantization(node)
    sums = sums + scales.bias
    if scales.once:
        scaled = round_away(sums * np.array(effective_scales(node)))
    else:
        scaled = scale_twice(sums, scales.multipliers.astype(np.int64), scales.exponents.astype(np.int64))
    return np.clip(scaled + scales.zero_point, scales.low, scales.high).astype(np.int8)


def _wide(image: Array) -> Any:
    return np.float64 if image.dtype == np.float32 else np.int64


OPERATIONS: dict[type[Node], Operation] = {
    Conv2D: convolution,
    DepthwiseConv2D: depthwise,
    TransposeConv: transposed,
    FullyConnected: dense,
    BatchMatMul: batch_matmul,
}
