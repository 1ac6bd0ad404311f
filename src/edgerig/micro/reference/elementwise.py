"""Operators element by element: sums, products, functions of one value, changes of scale."""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.conversion import cast, dequantize, quantize
from edgerig.micro.arithmetic.requantize import activation_range, finite_range, scale_by
from edgerig.micro.arithmetic.scales import SidesScales, product_scale, sides_scales, slope_scales
from edgerig.micro.arithmetic.tables import REAL, look_up, real_function
from edgerig.micro.ir import Add, Binary, Dequantize, Lookup, Mul, Node, Quantize, Sub, Unary, Value
from edgerig.micro.ir.operators.elementwise import Div, Maximum, Minimum, Prelu, SquaredDifference
from edgerig.micro.ir.operators.functions import Cast
from edgerig.micro.reference.operation import Array, Operation


def add(node: Add, inputs: list[Array]) -> list[Array]:
    """ADD."""
    return _sum(node, inputs, 1)


def subtract(node: Sub, inputs: list[Array]) -> list[Array]:
    """SUB."""
    return _sum(node, inputs, -1)


def multiply(node: Mul, inputs: list[Array]) -> list[Array]:
    """MUL."""
    if inputs[0].dtype == np.float32:
        return [_clamp(node, inputs[0] * inputs[1])]
    first, second = map(_centred, inputs, node.inputs)
    scaled = scale_by(product_scale(node), first * second)
    return [_clamp(node, scaled + node.output.zero_point)]


def _sum(node: Binary, inputs: list[Array], sign: int) -> list[Array]:
    if inputs[0].dtype == np.float32:
        return [_clamp(node, inputs[0] + sign * inputs[1])]
    scales = sides_scales(node)
    first, second = _on_one_scale(node, inputs, scales)
    return [_clamp(node, scale_by(scales.output, first + sign * second) + node.output.zero_point)]


def squared_difference(node: SquaredDifference, inputs: list[Array]) -> list[Array]:
    """SQUARED_DIFFERENCE."""
    if inputs[0].dtype != np.int8:
        return [_clamp(node, np.square(inputs[0] - inputs[1]))]
    scales = sides_scales(node)
    first, second = _on_one_scale(node, inputs, scales)
    return [_clamp(node, scale_by(scales.output, np.square(first - second)) + node.output.zero_point)]


def _on_one_scale(node: Binary, inputs: list[Array], scales: SidesScales) -> tuple[Array, Array]:
    """Both int8 sides less their zero points, on the scale of both."""
    first, second = (_centred(*side) << scales.left_shift for side in zip(inputs, node.inputs, strict=True))
    return scale_by(scales.first, first), scale_by(scales.second, second)


def prelu(node: Prelu, inputs: list[Array]) -> list[Array]:
    """PRELU."""
    if inputs[0].dtype != np.int8:
        return [_clamp(node, np.where(inputs[0] >= 0, inputs[0], inputs[0] * inputs[1]))]
    rising, falling = slope_scales(node)
    first, second = map(_centred, inputs, node.inputs)
    scaled = np.where(first >= 0, scale_by(rising, first + 0 * second), scale_by(falling, first * second))
    return [_clamp(node, scaled + node.output.zero_point)]


def divide(node: Div, inputs: list[Array]) -> list[Array]:
    """DIV."""
    return [_clamp(node, inputs[0] / inputs[1])]


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
        # As in LiteRT, what is infinite becomes the greatest float.
        low, high = finite_range(node.activation)
        return np.clip(values, low, high).astype(np.float32)
    if node.output.dtype in ("int8", "int16"):
        least, most = activation_range(node.activation, node.output)
        return np.clip(values, least, most).astype(node.output.dtype)
    return values.astype(node.output.dtype)


# ---- functions of one value


def function(node: Unary, inputs: list[Array]) -> list[Array]:
    """Every function of one value: real numbers by the function in double precision, bytes by the table."""
    if inputs[0].dtype == np.float32:
        return [real_function(node, inputs[0]).astype(np.float32)]
    return [look_up(node, inputs[0])]


def lookup(node: Lookup, inputs: list[Array]) -> list[Array]:
    """Several functions of one byte in one table."""
    return [look_up(node, inputs[0])]


# ---- changes of scale


def from_real(node: Quantize, inputs: list[Array]) -> list[Array]:
    """QUANTIZE."""
    if inputs[0].dtype != np.float32:
        return [look_up(node, inputs[0])]
    return [quantize(inputs[0], node.output)]


def to_real(node: Dequantize, inputs: list[Array]) -> list[Array]:
    """DEQUANTIZE, per tensor or per channel; also what was stored as float16."""
    return [dequantize(inputs[0], node.input)]


def to_type(node: Cast, inputs: list[Array]) -> list[Array]:
    """CAST."""
    return [cast(inputs[0], node.output.dtype)]


OPERATIONS: dict[type[Node], Operation] = {
    Add: add,
    Sub: subtract,
    Mul: multiply,
    Prelu: prelu,
    Div: divide,
    Maximum: maximum,
    Minimum: minimum,
    SquaredDifference: squared_difference,
    **dict.fromkeys(REAL, function),
    Lookup: lookup,
    Cast: to_type,
    Quantize: from_real,
    Dequantize: to_real,
}
