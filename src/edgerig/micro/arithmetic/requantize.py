"""Integer arithmetic of quantized operators, as LiteRT's reference kernels define it.

Two roundings occur. ``twice`` (convolutions): a rounding doubling high multiply, then a rounding shift right, both
rounding halves away from zero as gemmlowp does. ``once`` (dense layers): one multiplication in 64 bits, rounded
half up, by a multiplier that makes this what LiteRT has in double precision (`dense_scale`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.arithmetic.dense_scale import dense_multiplier
from edgerig.micro.arithmetic.memo import by_numbers
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv, Value, Weighted

#: The greatest float32.
GREATEST = 3.4028234663852886e38

RANGES = {"int4": (-8, 7), "int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


@lru_cache(1 << 14)
def quantize_multiplier(real: float) -> tuple[int, int]:
    """``real`` as multiplier * 2**(exponent - 31), multiplier in [2**30, 2**31) or 0.

    As QuantizeMultiplier of TensorFlow Lite does; positive exponents are left shifts.

    Raises:
        CompileError: It is no number.

    >>> quantize_multiplier(0.75), quantize_multiplier(0.3)
    ((1610612736, 0), (1288490189, -1))
    """
    if not math.isfinite(real):
        raise CompileError("The scales of an operator's tensors are too far apart.", "Quantize the network again.")
    if real == 0:
        return 0, 0
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        exponent += 1
    if exponent < -31:
        return 0, 0
    if exponent > 30:
        return (1 << 31) - 1, 30
    return multiplier, exponent


@dataclass(frozen=True)
class Requantization:
    """From int32 accumulators to the output's integers, one entry per output channel.

    ``out = clamp(zero_point + scale(accumulator, multiplier, exponent), low, high)``.

    Attributes:
        multipliers: int32 in [2**30, 2**31), or 0.
        exponents: int32; negative ones are right shifts, positive ones left shifts before the multiplication.
        bias: int32, the bias with the input's zero point folded in: ``b - input_zero_point * sum(w)``.
        once: One rounding instead of two.
        short: All sums fit into 30 bits and a sign.
    """

    multipliers: NDArray[np.int32]
    exponents: NDArray[np.int32]
    bias: NDArray[np.int32]
    zero_point: int
    low: int
    high: int
    once: bool
    short: bool = False

    @property
    def joined(self) -> bool:
        """All roundings are one where scales are below 1/4: there is one anyway, or sums below 0, whose halves are
        rounded away from zero, make the least output whatever their rounding."""
        return self.once or self.low >= self.zero_point

    @property
    def shifts_left(self) -> bool:
        """Some channel has a scale of 1 or more."""
        return bool((self.exponents > 0).any())


@by_numbers
def requantization(node: Weighted) -> Requantization:
    """The integer parameters of an int8 convolution or dense layer.

    Raises:
        CompileError: An accumulator, or one shifted left because its scale is 1 or more, would not fit into 32 bits.
    """
    pairs = multipliers_of(node)
    low, high = activation_range(node.activation, node.output)
    channels = channels_of(node)
    if len(pairs) == 1:
        pairs *= channels
    lefts = np.array([max(exponent, 0) for _, exponent in pairs], np.int64)
    reach, once = _bias_and_reach(node)[1], isinstance(node, FullyConnected)
    if (reach >= (np.int64(1) << (31 - lefts))).any():
        raise CompileError(
            f"{node.where()} multiplies its sums by a scale of 1 or more, and some would overflow 32 bits.",
            "The scale of its output is too small for those of its input and weights: quantize the network again.",
        )
    return Requantization(
        multipliers=np.array([pair[0] for pair in pairs], np.int32),
        exponents=np.array([pair[1] for pair in pairs], np.int32),
        bias=folded_bias(node),
        zero_point=node.output.zero_point,
        low=low,
        high=high,
        once=once,
        short=bool((reach < 1 << 30).all()),
    )


def multipliers_of(node: Weighted) -> list[tuple[int, int]]:
    """Multiplier and exponent of each of `effective_scales`."""
    scales = effective_scales(node)
    pairs = [quantize_multiplier(scale) for scale in scales]
    if not isinstance(node, FullyConnected):
        return pairs
    low, high = RANGES[node.output.dtype]
    levels = max(node.output.zero_point - low, high - node.output.zero_point)
    return [dense_multiplier(scale, pair, levels) for scale, pair in zip(scales, pairs, strict=True)]


def effective_scales(node: Weighted) -> list[float]:
    """input scale * weight scale / output scale, in double precision of the stored floats, one per scale of weights."""
    source, target = _f32(node.input.scale), _f32(node.output.scale)
    return [source * _f32(scale) / target for scale in node.weights.scales]


def channels_of(node: Weighted) -> int:
    """Output channels."""
    shape = node.weights.shape
    return shape[-1] if isinstance(node, DepthwiseConv2D) else shape[0]


@by_numbers
def weight_sums(node: Weighted) -> NDArray[np.int64]:
    """Sum of the weights of each output channel, int64."""
    weights = node.weights.array
    if isinstance(node, DepthwiseConv2D):
        return np.asarray(weights.sum((0, 1, 2), np.int64))
    return np.asarray(weights.reshape(weights.shape[0], -1).sum(1, np.int64))


def folded_bias(node: Weighted) -> NDArray[np.int32]:
    """``bias - input_zero_point * sum(weights)`` per output channel; padding then has the value of the zero point.

    For a transposed convolution, whose outputs meet different numbers of inputs, the plain bias.

    Raises:
        CompileError: An accumulator could overflow.
    """
    bias, reach = _bias_and_reach(node)
    if (reach >= 1 << 31).any():
        raise CompileError(
            f"The accumulator of {node.where()} may overflow 32 bits.", "Check the scales of its bias and weights."
        )
    return np.asarray(bias, np.int32)


def _bias_and_reach(node: Weighted) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The folded bias, and how far from 0 an accumulator can get, per output channel."""
    bias = np.zeros(channels_of(node), np.int64) if node.bias is None else node.bias.array.astype(np.int64).reshape(-1)
    weights = np.abs(node.weights.array.astype(np.int16))
    axes = (0, 1, 2) if isinstance(node, DepthwiseConv2D) else tuple(range(1, weights.ndim))
    if isinstance(node, Conv2D | DepthwiseConv2D | FullyConnected):
        bias = bias - node.input.zero_point * weight_sums(node)
    return bias, np.abs(bias) + weights.sum(axes, np.int64) * (255 if isinstance(node, TransposeConv) else 128)


def activation_range(activation: str, output: Value) -> tuple[int, int]:
    """Lowest and highest integer that a fused activation leaves in ``output``.

    Raises:
        CompileError: The activation is not one of those that only clamp.
    """
    low, high = RANGES[output.dtype]
    limits = real_range(activation)
    scale, zero = np.float32(output.scale), output.zero_point

    def to_integer(real: float) -> int:
        # TfLiteRound: halves away from zero.
        # Far out of range the exact quotient does not matter, and might be infinite.
        ratio = math.copysign(1e6, real) if abs(real) > 1e6 * scale else float(np.float32(real) / scale)
        return zero + int(math.copysign(math.floor(abs(ratio) + 0.5), ratio))

    return (
        low if limits[0] == -math.inf else max(low, to_integer(limits[0])),
        high if limits[1] == math.inf else min(high, to_integer(limits[1])),
    )


def real_range(activation: str) -> tuple[float, float]:
    """Lowest and highest real number that a fused activation leaves.

    Raises:
        CompileError: The activation is not one of those that only clamp.
    """
    known = {"NONE": (-math.inf, math.inf), "RELU": (0.0, math.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
    if activation not in known:
        raise CompileError(f"The fused activation {activation} is not supported.", f"Supported: {', '.join(known)}.")
    return known[activation]


def finite_range(activation: str) -> tuple[float, float]:
    """`real_range` with the greatest float32 in place of infinity, which C has no literal for."""
    low, high = real_range(activation)
    return max(low, -GREATEST), min(high, GREATEST)


def scale_twice(x: NDArray[Any], multiplier: Any, exponent: Any) -> NDArray[np.int64]:
    """MultiplyByQuantizedMultiplier of gemmlowp: doubling high multiply, then shift right, rounding in both."""
    left, right = np.maximum(exponent, 0), np.maximum(-exponent, 0)
    product = _wrap32(x << left) * multiplier
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = _divide(product + nudge, 1 << 31)
    mask = (np.int64(1) << right) - 1
    remainder = high & mask
    threshold = (mask >> 1) + (high < 0)
    return np.asarray((high >> right) + (remainder > threshold), np.int64)


def scale_by(scale: tuple[int, int], x: NDArray[Any]) -> NDArray[np.int64]:
    """`scale_twice` by a pair of multiplier and exponent."""
    return scale_twice(x, np.int64(scale[0]), np.int64(scale[1]))


def scale_once(x: NDArray[Any], multiplier: Any, exponent: Any) -> NDArray[np.int64]:
    """One product in 64 bits, shifted right with halves rounded up."""
    shift = 31 - exponent
    return np.asarray((x * multiplier + (np.int64(1) << (shift - 1))) >> shift, np.int64)


def _divide(value: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """Division that truncates towards zero, as C's."""
    return np.asarray(np.sign(value) * (np.abs(value) // by), np.int64)


def _wrap32(value: Any) -> NDArray[np.int64]:
    return np.asarray(value, np.int64).astype(np.int32).astype(np.int64)


def _f32(value: float) -> float:
    return float(np.float32(value))
