"""Integer arithmetic of activations of 16 bits, as LiteRT's reference kernels define it; their zero points are 0.

Sums of 64 bits, with a bias of 64 bits or none, are rounded once, halves up; those of convolutions are scaled by the
upper 16 bits of the multiplier, those of dense layers by all of it. With a bias of 32 bits sums have 32 bits, and are
scaled as those of int8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.arithmetic.requantize import (
    activation_range,
    channels_of,
    effective_scales,
    multipliers_of,
    quantize_multiplier,
    scale_twice,
)
from edgerig.micro.arithmetic.scales import matmul_scale
from edgerig.micro.ir import BatchMatMul, DepthwiseConv2D, FullyConnected, Logistic, Softmax, Tanh, Weighted

Array = NDArray[Any]

#: The greatest number of 16 bits, and their count.
HIGHEST = 32767
COUNT = 65536
#: Sums that the scaling of 64 bits takes are below it.
_SUM_LIMIT = 1 << 47
#: Left shifts that the scaling of 64 bits takes are below it.
_LEFT_LIMIT = 8


@dataclass(frozen=True)
class Requantization16:
    """From sums to the output's integers, one entry per output channel.

    Attributes:
        bias: int64; zeros where there is none.
        multipliers: int32; of convolutions with wide sums of 16 bits, else as `quantize_multiplier` gives them.
        shifts: int32; how far the product is shifted right, at least 1.
        wide: Sums have 64 bits.
        once: They are rounded once; else a high multiply and a shift are, as in int8.
    """

    bias: NDArray[np.int64]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.int32]
    low: int
    high: int
    wide: bool
    once: bool

    def apply(self, sums: Array) -> NDArray[np.int16]:
        """Bias, scale and activation; channels are the last axis of ``sums`` (int64)."""
        multipliers, shifts = self.multipliers.astype(np.int64), self.shifts.astype(np.int64)
        sums = sums + self.bias
        if not self.once:
            scaled = scale_twice(sums, multipliers, 31 - shifts)
        elif (multipliers <= HIGHEST).all():
            scaled = (sums * multipliers + (np.int64(1) << (shifts - 1))) >> shifts
        else:
            # The product may have more than 64 bits: its upper part, and what the lower one carries over to it.
            low = ((sums & 0xFFFF) * multipliers + (np.int64(1) << (shifts - 1))) >> 16
            scaled = ((sums >> 16) * multipliers + low) >> (shifts - 16)
        return np.asarray(np.clip(scaled, self.low, self.high), np.int16)


def requantization16(node: Weighted) -> Requantization16:
    """The integer parameters of a convolution or dense layer of 16-bit activations.

    Raises:
        CompileError: A sum or a scaled sum would not fit into the bits that LiteRT has for it.
    """
    pairs = multipliers_of(node)
    channels = channels_of(node)
    pairs = pairs * channels if len(pairs) == 1 else pairs
    multipliers, exponents = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    wide = node.bias is None or node.bias.dtype == "int64"
    bias = np.zeros(channels, np.int64) if node.bias is None else node.bias.array.reshape(-1).astype(np.int64)
    if not _fits(node, bias, effective_scales(node), exponents, wide):
        raise CompileError(
            f"The sums of {node.where()} may overflow {64 if wide else 32} bits, or {'32' if wide else 'these'} "
            "when they are scaled.",
            "The scale of its output is too small for those of its input and weights: quantize the network again.",
        )
    shifts = 31 - exponents
    if wide and not isinstance(node, FullyConnected):
        multipliers, shifts = short_scale(multipliers, exponents)
    low, high = activation_range(node.activation, node.output)
    return Requantization16(
        bias,
        multipliers.astype(np.int32),
        shifts.astype(np.int32),
        low,
        high,
        wide,
        wide or isinstance(node, FullyConnected),
    )


def short_scale(multipliers: Array, exponents: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The upper 16 bits of multipliers, and the right shifts that go with them, as LiteRT scales sums of 64 bits."""
    short = np.where(multipliers < HIGHEST << 16, (multipliers + (1 << 15)) >> 16, HIGHEST)
    return np.asarray(short, np.int64), np.asarray(15 - exponents, np.int64)


def matmul16_scale(node: BatchMatMul) -> tuple[int, int]:
    """Multiplier of 16 bits and right shift of an int16 BATCH_MATMUL.

    Raises:
        CompileError: A sum or a scaled sum would not fit into the bits that LiteRT has for it.
    """
    multiplier, exponent = matmul_scale(node)
    reach = node.depth * float(HIGHEST + 1) ** 2
    scaled = reach * multiplier * 2.0 ** (exponent - 31) * 1.0001
    if reach >= _SUM_LIMIT or exponent >= _LEFT_LIMIT or scaled >= 2.0**31 - 1:
        raise CompileError(
            f"The sums of {node.where()} may overflow 64 bits, or 32 when they are scaled.",
            "The scale of its output is too small for those of its inputs: quantize the network again.",
        )
    short, shift = short_scale(np.array(multiplier, np.int64), np.array(exponent, np.int64))
    return int(short), int(shift)


def matmul16(node: BatchMatMul, sums: Array) -> NDArray[np.int16]:
    """The outputs of an int16 BATCH_MATMUL."""
    multiplier, shift = matmul16_scale(node)
    scaled = (sums * np.int64(multiplier) + (np.int64(1) << (shift - 1))) >> np.int64(shift)
    return np.asarray(np.clip(scaled, -HIGHEST - 1, HIGHEST), np.int16)


def _fits(node: Weighted, bias: Array, scales: list[float], exponents: Array, wide: bool) -> bool:
    axes = (0, 1, 2) if isinstance(node, DepthwiseConv2D) else tuple(range(1, node.weights.array.ndim))
    sums = np.abs(node.weights.array.astype(np.int64)).sum(axes)
    # In floats, for the bias may be any number of 64 bits.
    reach = np.abs(bias.astype(np.float64)) + sums.astype(np.float64) * (HIGHEST + 1)
    if not wide:
        return bool((reach * 2.0 ** np.maximum(exponents, 0) < 2.0**31).all())
    # A multiplier of 16 bits may be more than the scale by one part in 2**16.
    scaled = reach * np.array(scales) * 1.0001
    return bool((reach < _SUM_LIMIT).all() and (exponents < _LEFT_LIMIT).all() and (scaled < 2.0**31 - 1).all())


# ---- logistic and tanh


#: Where LiteRT's table of the sigmoid is 1 above the nearest integer, found by its results for all inputs.
_ABOVE = (
    4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49,
    50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
)  # fmt: skip


@cache
def sigmoid_table() -> NDArray[np.uint16]:
    """The sigmoid of i / 24 in 1/65536, i from 0 to 255, as LiteRT rounds it."""
    values = np.array([round(COUNT / (1 + math.exp(-index / 24))) for index in range(256)])
    values[list(_ABOVE)] += 1
    return values.astype(np.uint16)


def curve_scale(node: Logistic | Tanh) -> tuple[int, int]:
    """Multiplier and right shift that bring the input to steps of 1/12288.

    Raises:
        CompileError: The output's scale is not 1/32768.
    """
    if float(np.float32(node.output.scale)) != 1 / (HIGHEST + 1):
        raise CompileError(
            f"{node.where()} cannot be compiled: its int16 output has the scale {node.output.scale:g}, "
            "and LiteRT asks for 1/32768.",
            "Quantize the network again.",
        )
    scale = float(np.float32(node.input.scale))
    fraction, exponent = math.frexp(scale)
    left = exponent - 1 + 12
    if fraction == 0.5 and left in ((0,) if isinstance(node, Logistic) else (0, 1)):
        return 3 << left, 0
    real, shift = scale * 4096.0 * 3.0, 0
    while real <= HIGHEST / 2.0 and shift <= 30:
        real, shift = real * 2.0, shift + 1
    if real > HIGHEST:
        raise CompileError(f"The scale of the input of {node.where()} is too large.", "Quantize the network again.")
    return int(real), shift


def curve(node: Logistic | Tanh, values: Array) -> NDArray[np.int16]:
    """Logistic or Tanh of TensorFlow Lite's reference_integer_ops: between two entries of `sigmoid_table`."""
    multiplier, shift = curve_scale(node)
    table, bits = sigmoid_table().astype(np.int64), 9 if isinstance(node, Logistic) else 8
    scaled = (values.astype(np.int64) * multiplier + ((1 << shift) >> 1)) >> shift
    size = np.abs(scaled)
    index, rest = np.minimum(size >> bits, 254), size & ((1 << bits) - 1)
    between = (table[index] << bits) + rest * (table[index + 1] - table[index])
    if isinstance(node, Logistic):
        result = np.where(size >> bits >= 255, HIGHEST << 10, between)
        return np.asarray(np.where(scaled >= 0, result + 512, (1 << 25) - result + 511) >> 10, np.int16)
    result = np.where(size >> bits >= 255, (COUNT - 1) << 8, between)
    half = 1 << 23
    return np.asarray(np.where(scaled >= 0, result - half + 128, half - result + 127) >> 8, np.int16)


# ---- softmax


@cache
def exponential_table() -> NDArray[np.int16]:
    """exp from -10 to 0 in 1/32768 at 513 places."""
    return _table(math.exp, 10.0 / (COUNT - 1), HIGHEST)


@cache
def reciprocal_table() -> NDArray[np.int16]:
    """1 / (1 + x) for x from 0 to 1 in 1/32768 at 513 places."""
    return _table(lambda x: 1.0 / (1.0 + x), 1.0 / (COUNT - 1), -HIGHEST - 1)


def _table(function: Callable[[float], float], scale: float, zero_point: int) -> NDArray[np.int16]:
    """LUTPopulateInt16 of TensorFlow Lite: each entry less half of the error in the middle up to the next."""
    steps, inverse = 512, COUNT / 2.0
    least, most = scale * (-HIGHEST - 1 - zero_point), scale * (HIGHEST - zero_point)
    step = (most - least) / steps
    entries = []
    for index in range(steps):
        sample = _round(function(least + index * step) * inverse)
        between = _round((function(least + (index + 1) * step) * inverse + sample) / 2)
        error = between - _round(function(least + index * step + step / 2) * inverse)
        entries.append(sample - _round(error / 2))
    entries.append(_round(function(most) * inverse))
    return np.asarray(np.clip(np.array(entries), -HIGHEST - 1, HIGHEST), np.int16)


def _round(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def look_up16(table: NDArray[np.int16], values: Array) -> NDArray[np.int64]:
    """Between two of the 513 entries of a table, for values of 16 bits."""
    wide, index = table.astype(np.int64), 256 + (values >> 7)
    return np.asarray(wide[index] + (((wide[index + 1] - wide[index]) * (values & 127) + 64) >> 7))


def softmax16_scale(node: Softmax) -> tuple[int, int]:
    """Multiplier and exponent that bring differences to steps of 10 / 65535."""
    scale = float(np.float32(node.input.scale)) * float(np.float32(node.beta))
    multiplier, exponent = quantize_multiplier(scale / (10.0 / (COUNT - 1)))
    if COUNT << max(exponent, 0) >= 1 << 31:
        raise CompileError(f"The scale of the input of {node.where()} is too large.", "Quantize the network again.")
    return multiplier, exponent


def softmax16(node: Softmax, values: Array) -> NDArray[np.int16]:
    """SoftmaxInt16 of TensorFlow Lite's reference_ops, over the last axis."""
    multiplier, exponent = (np.int64(number) for number in softmax16_scale(node))
    wide = values.astype(np.int64)
    scaled = scale_twice(wide - wide.max(-1, keepdims=True), multiplier, exponent)
    powers = look_up16(exponential_table(), np.clip(scaled + HIGHEST, -HIGHEST - 1, HIGHEST))
    sums = powers.sum(-1, keepdims=True)
    zeros = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    shifted = ((sums << (zeros - 1)) + (1 << 13)) >> 14
    reciprocal = look_up16(reciprocal_table(), np.clip(shifted - (1 << 15) - (1 << 16), -HIGHEST - 1, HIGHEST))
    right = 31 - zeros
    results = (powers * reciprocal + (np.int64(1) << (right - 1))) >> right
    return np.asarray(np.clip(results, 0, HIGHEST), np.int16)
