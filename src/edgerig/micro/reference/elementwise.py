"""Operators element by element: sums, products, functions of one value, changes of scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.arithmetic.requantize import RANGES, activation_range, quantize_multiplier, real_range, scale_twice
from edgerig.micro.ir import Add, Binary, Dequantize, HardSwish, Logistic, Lookup, Mul, Node, Quantize, Relu, Sub, Tanh

Array = NDArray[Any]
#: Bits by which both sides of an int8 sum are moved left before they are brought to one scale.
LEFT_SHIFT = 20


@dataclass(frozen=True)
class SumScales:
    """Integer parameters of an int8 ADD or SUB: each side's multiplier and exponent, and the output's."""

    first: tuple[int, int]
    second: tuple[int, int]
    output: tuple[int, int]


def sum_scales(node: Binary) -> SumScales:
    """As the preparation of ADD and SUB in TensorFlow Lite works them out."""
    scales = [float(np.float32(value.scale)) for value in (*node.inputs[:2], node.output)]
    twice = 2 * max(scales[0], scales[1])
    return SumScales(
        quantize_multiplier(scales[0] / twice),
        quantize_multiplier(scales[1] / twice),
        quantize_multiplier(twice / ((1 << LEFT_SHIFT) * scales[2])),
    )


def product_scale(node: Mul) -> tuple[int, int]:
    """Multiplier and exponent of an int8 MUL."""
    first, second, output = (np.float32(value.scale) for value in (*node.inputs[:2], node.output))
    return quantize_multiplier(float(first * second / output))


def add(node: Add, inputs: list[Array]) -> list[Array]:
    """ADD."""
    return _sum(node, inputs, 1)


def subtract(node: Sub, inputs: list[Array]) -> list[Array]:
    """SUB."""
    return _sum(node, inputs, -1)


def multiply(node: Mul, inputs: list[Array]) -> list[Array]:
    """MUL."""
    if inputs[0].dtype != np.int8:
        return [_cut(node, inputs[0] * inputs[1])]
    first, second = (_centred(value, one) for value, one in zip(inputs, node.inputs, strict=True))
    scaled = _scaled(first * second, product_scale(node))
    return [_cut(node, scaled + node.output.zero_point)]


def _sum(node: Binary, inputs: list[Array], sign: int) -> list[Array]:
    if inputs[0].dtype != np.int8:
        return [_cut(node, inputs[0] + sign * inputs[1])]
    scales = sum_scales(node)
    first, second = (_centred(value, one) << LEFT_SHIFT for value, one in zip(inputs, node.inputs, strict=True))
    total = _scaled(first, scales.first) + sign * _scaled(second, scales.second)
    return [_cut(node, _scaled(total, scales.output) + node.output.zero_point)]


def _scaled(x: Array, pair: tuple[int, int]) -> Array:
    return scale_twice(x, np.int64(pair[0]), np.int64(pair[1]))


def _centred(content: Array, value: Any) -> Array:
    return np.asarray(content.astype(np.int64) - value.zero_point)


def _cut(node: Binary, values: Array) -> Array:
    if node.output.dtype == "float32":
        low, high = real_range(node.activation)
        return np.clip(values, low, high).astype(np.float32)
    if node.output.dtype == "int8":
        least, most = activation_range(node.activation, node.output)
        return np.clip(values, least, most).astype(np.int8)
    return values.astype(node.output.dtype)


# ---- functions of one value


def table(node: Node) -> NDArray[np.int8] | NDArray[np.uint8]:
    """The output of a function of one 8-bit value for each of its 256 values, from the lowest on.

    Raises:
        CompileError: The node is no such function.
    """
    low, high = RANGES[node.input.dtype]
    values = np.arange(low, high + 1, dtype=np.int64)
    if isinstance(node, Logistic | Tanh):
        return _curve(node, values)
    if isinstance(node, Relu):
        return _relu(node, values)
    if isinstance(node, HardSwish):
        return _hard_swish(node, values)
    if isinstance(node, Quantize):
        return _requantized(node, values)
    if isinstance(node, Lookup):
        return _looked_up(node)
    raise CompileError(f"There is no table for {node.where()}.")


def _looked_up(node: Lookup) -> Array:
    low, high = RANGES[node.input.dtype]
    content: Array = np.arange(low, high + 1).astype(node.input.dtype)
    for part in node.parts:
        (content,) = _PARTS[type(part)](part, [content])
    return content


def table_or_function(node: Node, inputs: list[Array]) -> list[Array]:
    """RELU and its kin, LOGISTIC, TANH, HARD_SWISH."""
    if inputs[0].dtype == np.float32:
        return [_FUNCTIONS[type(node)](node, inputs[0].astype(np.float64)).astype(np.float32)]
    return [table(node)[inputs[0].astype(np.int64) - RANGES[node.input.dtype][0]]]


def _logistic(_: Node, x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _tanh(_: Node, x: Array) -> Array:
    return np.asarray(np.tanh(x))


def _swish(_: Node, x: Array) -> Array:
    return np.asarray(x * np.clip(x + 3, 0, 6) / 6)


def _cut_real(node: Any, x: Array) -> Array:
    return np.asarray(np.clip(x, *real_range(node.activation)))


_FUNCTIONS: dict[type[Node], Callable[[Any, Array], Array]] = {
    Logistic: _logistic, Tanh: _tanh, HardSwish: _swish, Relu: _cut_real,
}  # fmt: skip


def _curve(node: Node, values: Array) -> Array:
    """As PopulateLookupTable of TensorFlow Lite, in single precision."""
    real = np.float32(node.input.scale) * (values - node.input.zero_point).astype(np.float32)
    if isinstance(node, Tanh):
        made = np.tanh(real.astype(np.float64)).astype(np.float32)
    else:
        made = np.float32(1) / (np.float32(1) + np.exp(np.minimum(-real.astype(np.float64), 80)).astype(np.float32))
    inverse = np.float32(1) / np.float32(node.output.scale)
    return _clamped(node, round_away(made * inverse) + node.output.zero_point)


def _relu(node: Relu, values: Array) -> Array:
    pair = quantize_multiplier(float(np.float32(node.input.scale) / np.float32(node.output.scale)))
    scaled = _scaled(values - node.input.zero_point, pair) + node.output.zero_point
    return np.asarray(np.clip(scaled, *activation_range(node.activation, node.output)), node.output.dtype)


def _requantized(node: Node, values: Array) -> Array:
    pair = quantize_multiplier(float(np.float32(node.input.scale)) / float(np.float32(node.output.scale)))
    return _clamped(node, _scaled(values - node.input.zero_point, pair) + node.output.zero_point)


def _hard_swish(node: Node, values: Array) -> Array:
    """HardSwish of TensorFlow Lite's reference_ops, in 16-bit fixed point."""
    high_scale = np.float32(1) / np.float32(128) * np.float32(node.input.scale)
    out_multiplier, out_exponent = quantize_multiplier(float(high_scale / np.float32(node.output.scale)))
    if not -31 <= out_exponent <= 0:
        raise CompileError(f"The scales of {node.where()} are too far apart.", "Quantize the network again.")
    three = np.float32(3) / np.float32(32768)
    relu_multiplier, relu_exponent = quantize_multiplier(float(high_scale / three))
    out16, relu16 = _to_16(out_multiplier), _to_16(relu_multiplier)
    high = (values - node.input.zero_point) * 128
    preshift = _doubling_high_16(high, out16)
    relu = high
    if relu_exponent > 0:
        relu = _saturate_left(relu, relu_exponent - 1)
    relu = _doubling_high_16(relu, relu16)
    if relu_exponent > 0:
        relu = _saturate_left(relu, 1)
    if relu_exponent < 0:
        relu = _rounding_divide(relu, -relu_exponent)
    relu = (relu + (1 << 15)) >> 1
    # This one product is not rounded but cut towards zero, as C divides.
    product = relu * preshift
    product = np.clip(np.sign(product) * (np.abs(product) >> 15), -32768, 32767)
    made = _rounding_divide(product, -out_exponent) + node.output.zero_point
    return _clamped(node, made)


def _to_16(multiplier: int) -> int:
    return 32767 if multiplier >= (1 << 31) - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _doubling_high_16(x: Array, y: int) -> Array:
    product = x * y
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    total = product + nudge
    return np.asarray(np.sign(total) * (np.abs(total) >> 15))


def _saturate_left(x: Array, by: int) -> Array:
    return np.asarray(np.clip(x << by, -32768, 32767))


def _rounding_divide(x: Array, exponent: int) -> Array:
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return np.asarray((x >> exponent) + ((x & mask) > threshold))


def _clamped(node: Node, values: Array) -> Array:
    low, high = RANGES[node.output.dtype]
    return np.asarray(np.clip(values, low, high), node.output.dtype)


def round_away(values: Array) -> Array:
    """Halves away from zero, as C's round; int64."""
    return np.asarray(np.sign(values) * np.floor(np.abs(values) + values.dtype.type(0.5)), np.int64)


# ---- changes of scale


def quantize(node: Quantize, inputs: list[Array]) -> list[Array]:
    """QUANTIZE."""
    if inputs[0].dtype != np.float32:
        return [table(node)[inputs[0].astype(np.int64) - RANGES[node.input.dtype][0]]]
    # A quotient far out of range must not wrap when it becomes an integer.
    ratio = np.clip(inputs[0] / np.float32(node.output.scale), -1e6, 1e6).astype(np.float64)
    return [_clamped(node, round_away(ratio) + node.output.zero_point)]


def dequantize(node: Dequantize, inputs: list[Array]) -> list[Array]:
    """DEQUANTIZE, per tensor or per channel; also what was stored as float16."""
    if inputs[0].dtype == np.float16:
        return [inputs[0].astype(np.float32)]
    if node.input.quantization is None:
        raise CompileError(f"{node.where()} reads {node.input.name!r}, which has no scale.")
    shape = node.input.quantization.spread(len(node.input.shape))
    scales = np.array(node.input.quantization.scales, np.float32).reshape(shape)
    zeros = np.array(node.input.quantization.zero_points, np.int64).reshape(shape)
    # The product is exact in double precision, and rounded once.
    centred = (inputs[0].astype(np.int64) - zeros).astype(np.float64)
    return [(centred * scales.astype(np.float64)).astype(np.float32)]


#: What may stand in a `Lookup`.
_PARTS: dict[type[Node], Callable[[Any, list[Array]], list[Array]]] = {
    Relu: table_or_function, Logistic: table_or_function, Tanh: table_or_function, HardSwish: table_or_function,
    Quantize: quantize, Dequantize: dequantize,
}  # fmt: skip
