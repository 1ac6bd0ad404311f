"""Operators element by element: sums, products, functions of one value, changes of scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgerig.micro.arithmetic.conversion import dequantize, quantize
from edgerig.micro.arithmetic.requantize import activation_range, real_range, scale_by
from edgerig.micro.arithmetic.scales import LEFT_SHIFT, product_scale, sum_scales
from edgerig.micro.arithmetic.tables import look_up
from edgerig.micro.ir import (
    Add,
    Binary,
    Dequantize,
    HardSwish,
    Logistic,
    Lookup,
    Mul,
    Node,
    Quantize,
    Relu,
    Sub,
    Tanh,
    Value,
)
from edgerig.micro.ir.operators.elementwise import Maximum, Minimum
from edgerig.micro.reference.operation import Array, Operation


def add(node: Add, inputs: list[Array]) -> list[Array]:
    """ADD."""
    return _sum(node, inputs, 1)


def subtract(node: Sub, inputs: list[Array]) -> list[Array]:
    """SUB."""
    return _sum(node, inputs, -1)


def multiply(node: Mul, inputs: list[Array]) -> list[Array]:
    """MUL."""
    if inputs[0].dtype != np.int8:
        return [_clamp(node, inputs[0] * inputs[1])]
    first, second = map(_centred, inputs, node.inputs)
    scaled = scale_by(product_scale(node), first * second)
    return [_clamp(node, scaled + node.output.zero_point)]


def _sum(node: Binary, inputs: list[Array], sign: int) -> list[Array]:
    if inputs[0].dtype != np.int8:
        return [_clamp(node, inputs[0] + sign * inputs[1])]
    scales = sum_scales(node)
    first, second = (_centred(*side) << LEFT_SHIFT for side in zip(inputs, node.inputs, strict=True))
    total = scale_by(scales.first, first) + sign * scale_by(scales.second, second)
    return [_clamp(node, scale_by(scales.output, total) + node.output.zero_point)]


def maximum(node: Maximum, inputs: list[Array]) -> list[Array]:
    """MAXIMUM."""
    return [_clamp(node, np.where(inputs[0] > inputs[1], inputs[0], inputs[1]))]


def minimum(node: Minimum, inputs: list[Array]) -> list[Array]:
    """MINIMUM."""
    return [_clamp(node, np.where(inputs[0] < inputs[1], inputs[0], inputs[1]))]


def _centred(content: Array, value: Value) -> Array:
    return np.asarray(content.astype(np.int64) - value.zero_point)


def _clamp(node: Binary, values: Array) -> Array:
    if node.output.dtype == "float32":
        low, high = real_range(node.activation)
        return np.clip(values, low, high).astype(np.float32)
    if node.output.dtype == "int8":
        least, most = activation_range(node.activation, node.output)
        return np.clip(values, least, most).astype(np.int8)
    return values.astype(node.output.dtype)


# ---- functions of one value


def table_or_function(node: Node, inputs: list[Array]) -> list[Array]:
    """RELU, RELU6, RELU_N1_TO_1, LOGISTIC, TANH, HARD_SWISH."""
    if inputs[0].dtype == np.float32:
        return [_FUNCTIONS[type(node)](node, inputs[0].astype(np.float64)).astype(np.float32)]
    return [look_up(node, inputs[0])]


def _logistic(_: Node, x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _tanh(_: Node, x: Array) -> Array:
    return np.asarray(np.tanh(x))


def _swish(_: Node, x: Array) -> Array:
    return np.asarray(x * np.clip(x + 3, 0, 6) / 6)


def _relu(node: Any, x: Array) -> Array:
    return np.asarray(np.clip(x, *real_range(node.activation)))


_FUNCTIONS: dict[type[Node], Callable[[Any, Array], Array]] = {
    Logistic: _logistic,
    Tanh: _tanh,
    HardSwish: _swish,
    Relu: _relu,
}


# ---- changes of scale


def from_real(node: Quantize, inputs: list[Array]) -> list[Array]:
    """QUANTIZE."""
    if inputs[0].dtype != np.float32:
        return [look_up(node, inputs[0])]
    return [quantize(inputs[0], node.output)]


def to_real(node: Dequantize, inputs: list[Array]) -> list[Array]:
    """DEQUANTIZE, per tensor or per channel; also what was stored as float16."""
    return [dequantize(inputs[0], node.input)]


OPERATIONS: dict[type[Node], Operation] = {
    Add: add,
    Sub: subtract,
    Mul: multiply,
    Maximum: maximum,
    Minimum: minimum,
    Relu: table_or_function,
    Logistic: table_or_function,
    Tanh: table_or_function,
    HardSwish: table_or_function,
    Lookup: table_or_function,
    Quantize: from_real,
    Dequantize: to_real,
}
