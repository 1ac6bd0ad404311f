"""Functions of one value: of 8 bits as tables of their 256 results, and of real numbers.

A table is made with the integers of LiteRT's reference kernels, never of the real function beside it: kernels use the
tables, which are held to LiteRT by themselves; real functions judge the C of floats, which knows nothing of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.arithmetic.conversion import clamp, dequantize, quantize, to_integers
from edgerig.micro.arithmetic.int16 import curve
from edgerig.micro.arithmetic.overflow import refuse_overflow
from edgerig.micro.arithmetic.requantize import RANGES, activation_range, quantize_multiplier, real_range, scale_by
from edgerig.micro.arithmetic.roots import inverse_root, sqrt_scale
from edgerig.micro.arithmetic.scales import rescaling
from edgerig.micro.ir import Dequantize, HardSwish, Logistic, Lookup, Node, Quantize, Relu, Tanh, Unary
from edgerig.micro.ir.operators.functions import Abs, Exp, Gelu, LeakyRelu, Log, Neg, Rsqrt, Sqrt

Array = NDArray[Any]

#: Those that take 16 bits.
FUNCTIONS_16 = (Logistic, Tanh, Relu, LeakyRelu, Quantize)


def table(node: Node) -> Array:
    """The output of a function of one integer for each of its values, from the lowest on: 256, of 16 bits 65,536.

    Raises:
        CompileError: The node is no such function.
    """
    function = TABLES.get(type(node))
    if function is None or (node.input.dtype == "int16" and not isinstance(node, FUNCTIONS_16)):
        raise CompileError(f"There is no table for {node.where()} of {node.input.dtype}.")
    low, high = RANGES[node.input.dtype]
    return function(node, np.arange(low, high + 1, dtype=np.int64))


def real_function(node: Unary, x: Array) -> Array:
    """A function of one real value of each element, in double precision."""
    return np.asarray(REAL[type(node)](node, x.astype(np.float64)))


def look_up(node: Node, content: Array) -> Array:
    """A function of one integer of each element, by its table."""
    return np.asarray(table(node)[content.astype(np.int64) - RANGES[node.input.dtype][0]])


def _chain(node: Lookup, values: Array) -> Array:
    content = values.astype(node.input.dtype)
    for part in node.parts:
        content = _step(part, content)
    return content


def _step(part: Node, content: Array) -> Array:
    """One function of a chain; in between the values may be real."""
    if isinstance(part, Dequantize):
        return dequantize(content, part.input)
    if content.dtype != np.float32:
        return look_up(part, content)
    if isinstance(part, Relu):
        return np.clip(content, *real_range(part.activation)).astype(np.float32)
    return quantize(content, part.output)


def _logistic(node: Logistic, values: Array) -> Array:
    if node.input.dtype == "int16":
        return curve(node, values)
    # Beyond exp(80) the result is 0 in single precision.
    powers = np.exp(np.minimum(-_real(node, values).astype(np.float64), 80)).astype(np.float32)
    return _from_real(node, np.float32(1) / (np.float32(1) + powers))


def _tanh(node: Tanh, values: Array) -> Array:
    if node.input.dtype == "int16":
        return curve(node, values)
    return _from_real(node, np.tanh(_real(node, values).astype(np.float64)).astype(np.float32))


def _real(node: Node, values: Array) -> Array:
    """As PopulateLookupTable of TensorFlow Lite, in single precision."""
    return np.asarray(np.float32(node.input.scale) * (values - node.input.zero_point).astype(np.float32))


def _from_real(node: Node, results: Array) -> Array:
    return to_integers(results * (np.float32(1) / np.float32(node.output.scale)), node.output)


def _relu(node: Relu, values: Array) -> Array:
    scale = quantize_multiplier(float(np.float32(node.input.scale) / np.float32(node.output.scale)))
    scaled = scale_by(scale, values - node.input.zero_point) + node.output.zero_point
    return np.asarray(np.clip(scaled, *activation_range(node.activation, node.output)), node.output.dtype)


def _requantize(node: Node, values: Array) -> Array:
    return clamp(scale_by(rescaling(node), values - node.input.zero_point) + node.output.zero_point, node.output)


def _hard_swish(node: Node, values: Array) -> Array:
    """HardSwish of TensorFlow Lite's reference_ops, in 16-bit fixed point."""
    high_scale = np.float32(1) / np.float32(128) * np.float32(node.input.scale)
    out_multiplier, out_exponent = quantize_multiplier(float(high_scale / np.float32(node.output.scale)))
    if not -31 <= out_exponent <= 0:
        raise CompileError(f"The scales of {node.where()} are too far apart.", "Quantize the network again.")
    three = np.float32(3) / np.float32(32768)
    relu_multiplier, relu_exponent = quantize_multiplier(float(high_scale / three))
    high = (values - node.input.zero_point) * 128
    preshift = _doubling_high_16(high, _to_16(out_multiplier))
    relu = high
    if relu_exponent > 0:
        relu = _saturate_left(relu, relu_exponent - 1)
    relu = _doubling_high_16(relu, _to_16(relu_multiplier))
    if relu_exponent > 0:
        relu = _saturate_left(relu, 1)
    if relu_exponent < 0:
        relu = _rounding_divide(relu, -relu_exponent)
    relu = (relu + (1 << 15)) >> 1
    # This one product is not rounded but truncated towards zero, as C divides.
    product = relu * preshift
    product = np.clip(np.sign(product) * (np.abs(product) >> 15), -32768, 32767)
    return clamp(_rounding_divide(product, -out_exponent) + node.output.zero_point, node.output)


def _leaky_relu(node: LeakyRelu, values: Array) -> Array:
    """QuantizeLeakyRelu of TensorFlow Lite's reference_ops."""
    if node.alpha < 0:
        raise CompileError(f"{node.where()} has the negative slope {node.alpha:g} in int8.", "Train it with another.")
    source, target = np.float32(node.input.scale), np.float32(node.output.scale)
    rising, falling = (
        _scaled(node, float(np.float32(real)), values - node.input.zero_point)
        for real in (source / target, source * np.float32(node.alpha) / target)
    )
    return clamp(np.where(values >= node.input.zero_point, rising, falling) + node.output.zero_point, node.output)


def _exp(node: Node, values: Array) -> Array:
    return _from_real(node, np.exp(_real(node, values).astype(np.float64)).astype(np.float32))


def _log(node: Node, values: Array) -> Array:
    """LogPrepare of TensorFlow Lite: where there is no logarithm, the least value that the output can have."""
    real = _real(node, values)
    results = np.log(np.where(real > 0, real, 1).astype(np.float64)).astype(np.float32)
    least = RANGES[node.output.dtype][0]
    return np.where(real > 0, _from_real(node, results), least).astype(node.output.dtype)


def _gelu(node: Gelu, values: Array) -> Array:
    return _from_real(node, gelu(node, _real(node, values).astype(np.float64)).astype(np.float32))


def gelu(node: Gelu, x: Array) -> Array:
    """GELU of real numbers; its tanh form by Hendrycks and Gimpel."""
    if node.approximate:
        return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    errors = np.fromiter((math.erf(value / math.sqrt(2)) for value in x.reshape(-1)), np.float64, x.size)
    return np.asarray(0.5 * x * (1 + errors.reshape(x.shape)))


def _abs(node: Node, values: Array) -> Array:
    """AbsEvalQuantized of TensorFlow Lite."""
    ratio = float(np.float32(node.input.scale) / np.float32(node.output.scale))
    return clamp(_scaled(node, ratio, np.abs(values - node.input.zero_point)) + node.output.zero_point, node.output)


def _neg(node: Node, values: Array) -> Array:
    raise CompileError(
        f"{node.where()} cannot be compiled: it is int8, and LiteRT's own kernel negates the integers without their "
        "zero point.",
        "Keep it in float32, or multiply by -1 instead.",
    )


def _sqrt(node: Node, values: Array) -> Array:
    """SqrtEvalQuantized of TensorFlow Lite, in single precision: it cuts off what is behind the point."""
    _not_negative(node)
    steps = np.trunc(np.sqrt(_real(node, values)) / np.float32(node.output.scale))
    return clamp(steps.astype(np.int64) + node.output.zero_point, node.output)


def _rsqrt(node: Node, values: Array) -> Array:
    """RsqrtEvalQuantized of TensorFlow Lite; of 0 it is the greatest value."""
    _not_negative(node)
    scale = sqrt_scale(node.input.scale, node.output.scale)
    centred = values - node.input.zero_point
    results = [inverse_root(int(value), scale) + node.output.zero_point if value else 1 << 20 for value in centred]
    return clamp(np.array(results), node.output)


def _not_negative(node: Node) -> None:
    if node.input.zero_point != RANGES[node.input.dtype][0]:
        raise CompileError(
            f"{node.where()} cannot be compiled: its input has the zero point {node.input.zero_point}, and so values "
            "below 0, which have no root.",
            "Put a RELU before it and quantize again.",
        )


def _scaled(node: Node, real: float, values: Array) -> Array:
    """``values`` times ``real``, refused where 32 bits would not hold what is multiplied."""
    scale = quantize_multiplier(real)
    refuse_overflow(node, int(np.abs(values).max()), scale[1])
    return scale_by(scale, values)


def _to_16(multiplier: int) -> int:
    return 32767 if multiplier >= (1 << 31) - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _doubling_high_16(x: Array, y: int) -> Array:
    product = x * y
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    total = product + nudge
    return np.asarray(np.sign(total) * (np.abs(total) >> 15))


def _saturate_left(x: Array, bits: int) -> Array:
    return np.asarray(np.clip(x << bits, -32768, 32767))


def _rounding_divide(x: Array, exponent: int) -> Array:
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return np.asarray((x >> exponent) + ((x & mask) > threshold))


TABLES: dict[type[Node], Callable[[Any, Array], Array]] = {
    Logistic: _logistic,
    Tanh: _tanh,
    Relu: _relu,
    HardSwish: _hard_swish,
    LeakyRelu: _leaky_relu,
    Abs: _abs,
    Neg: _neg,
    Exp: _exp,
    Log: _log,
    Sqrt: _sqrt,
    Rsqrt: _rsqrt,
    Gelu: _gelu,
    Quantize: _requantize,
    Lookup: _chain,
}

#: What the C of floats is held to, besides LiteRT.
REAL: dict[type[Unary], Callable[[Any, Array], Array]] = {
    Logistic: lambda _, x: 1 / (1 + np.exp(-x)),
    Tanh: lambda _, x: np.tanh(x),
    Relu: lambda node, x: np.clip(x, *real_range(node.activation)),
    HardSwish: lambda _, x: x * np.clip(x + 3, 0, 6) / 6,
    LeakyRelu: lambda node, x: np.where(x > 0, x, node.alpha * x),
    Abs: lambda _, x: np.abs(x),
    Neg: lambda _, x: -x,
    Exp: lambda _, x: np.exp(x),
    Log: lambda _, x: np.log(x),
    Sqrt: lambda _, x: np.sqrt(x),
    Rsqrt: lambda _, x: 1 / np.sqrt(x),
    Gelu: gelu,
}
