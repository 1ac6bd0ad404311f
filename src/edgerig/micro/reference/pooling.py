"""Pooling and means."""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.requantize import activation_range, real_range, scale_by
from edgerig.micro.arithmetic.scales import mean_multiplier
from edgerig.micro.ir import AveragePool2D, MaxPool2D, Mean, Node, Pool2D
from edgerig.micro.ir.operators.extremes import ArgMax, ArgMin, ReduceMax, ReduceMin
from edgerig.micro.reference.convolution import windows
from edgerig.micro.reference.operation import Array, Operation


def maximum(node: MaxPool2D, inputs: list[Array]) -> list[Array]:
    """MAX_POOL_2D."""
    image = inputs[0]
    lowest = -np.inf if image.dtype == np.float32 else np.iinfo(image.dtype).min
    seen = windows(image, node.window, node.stride, (1, 1), node.padding, lowest)
    return [_clamp(node, seen.max((2, 3)))]


def average(node: AveragePool2D, inputs: list[Array]) -> list[Array]:
    """AVERAGE_POOL_2D: sums of stored integers, zero point included, are divided with halves rounded away from zero."""
    image = inputs[0]
    wide = np.float64 if image.dtype == np.float32 else np.int64
    sums = windows(image.astype(wide), node.window, node.stride, (1, 1), node.padding, 0).sum((2, 3))
    ones = np.ones((1, *image.shape[1:3], 1), np.int64)
    counts = windows(ones, node.window, node.stride, (1, 1), node.padding, 0).sum((2, 3))
    if image.dtype == np.float32:
        return [_clamp(node, sums / counts)]
    if node.unsigned:
        # Those of uint8, 128 more, are never below 0.
        return [_clamp(node, (sums + 128 * counts + counts // 2) // counts - 128)]
    half = np.where(sums > 0, counts // 2, -(counts // 2))
    rounded = np.sign(sums + half) * (np.abs(sums + half) // counts)
    return [_clamp(node, rounded)]


def _clamp(node: Pool2D, values: Array) -> Array:
    if node.output.dtype == "float32":
        low, high = real_range(node.activation)
        return np.clip(values, low, high).astype(np.float32).reshape(node.output.shape)
    least, most = activation_range(node.activation, node.output)
    return np.clip(values, least, most).astype(node.output.dtype).reshape(node.output.shape)


def mean(node: Mean, inputs: list[Array]) -> list[Array]:
    """MEAN."""
    values = inputs[0]
    if values.dtype == np.float32:
        return [values.astype(np.float64).mean(node.axes).astype(np.float32).reshape(node.output.shape)]
    count, multiplier, exponent = mean_multiplier(node)
    sums = values.astype(np.int64).sum(node.axes) - node.input.zero_point * count
    scaled = scale_by((multiplier, exponent), sums) + node.output.zero_point
    low, high = activation_range("NONE", node.output)
    return [np.clip(scaled, low, high).astype(node.output.dtype).reshape(node.output.shape)]


def reduce_max(node: ReduceMax, inputs: list[Array]) -> list[Array]:
    """REDUCE_MAX."""
    return [inputs[0].max(node.axes).reshape(node.output.shape)]


def reduce_min(node: ReduceMin, inputs: list[Array]) -> list[Array]:
    """REDUCE_MIN."""
    return [inputs[0].min(node.axes).reshape(node.output.shape)]


def arg_max(node: ArgMax, inputs: list[Array]) -> list[Array]:
    """ARG_MAX."""
    return [inputs[0].argmax(node.axis).astype(node.output.dtype)]


def arg_min(node: ArgMin, inputs: list[Array]) -> list[Array]:
    """ARG_MIN."""
    return [inputs[0].argmin(node.axis).astype(node.output.dtype)]


OPERATIONS: dict[type[Node], Operation] = {
    MaxPool2D: maximum,
    AveragePool2D: average,
    Mean: mean,
    ReduceMax: reduce_max,
    ReduceMin: reduce_min,
    ArgMax: arg_max,
    ArgMin: arg_min,
}
