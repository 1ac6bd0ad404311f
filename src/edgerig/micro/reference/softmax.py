"""Softmax: in gemmlowp's fixed point for int8, as reference_ops of TensorFlow Lite has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.micro.arithmetic.scales import DIFFERENCE_BITS, softmax_scale
from edgerig.micro.ir import Node, Softmax
from edgerig.micro.reference.operation import Array, Operation

#: Integer bits of the sum of exponentials.
SUM_BITS = 12


def softmax(node: Softmax, inputs: list[Array]) -> list[Array]:
    """SOFTMAX over the last axis."""
    values = inputs[0]
    if values.dtype == np.float32:
        real = values.astype(np.float64)
        powers = np.exp((real - real.max(-1, keepdims=True)) * np.float32(node.beta))
        return [(powers / powers.sum(-1, keepdims=True)).astype(np.float32)]
    return [_integer(node, values)]


def _integer(node: Softmax, values: Array) -> Array:
    multiplier, shift, least = softmax_scale(node)
    wide = values.astype(np.int64)
    differences = wide - wide.max(-1, keepdims=True)
    counts = differences >= least
    scaled = doubling_high(differences << shift, np.int64(multiplier))
    powers = exponential(np.where(counts, scaled, 0))
    sums = np.where(counts, rounding_divide(powers, SUM_BITS), 0).sum(-1, keepdims=True)
    reciprocal, bits_over = _reciprocal(sums)
    shifted = doubling_high(reciprocal, powers)
    exponent = bits_over + 31 - 8
    results = rounding_divide(shifted, exponent) - 128
    return np.clip(np.where(counts, results, -128), -128, 127).astype(np.int8)


def _reciprocal(sums: Array) -> tuple[Array, Array]:
    """1 / sum as fixed point, and the bits by which the sum is over 1 (GetReciprocal)."""
    zeros = np.array([32 - int(value).bit_length() for value in sums.reshape(-1)], np.int64).reshape(sums.shape)
    bits_over = SUM_BITS - zeros
    minus_one = ((sums << zeros) & 0xFFFFFFFF) - (1 << 31)
    return one_over_one_plus(minus_one), bits_over


def doubling_high(x: Array, y: Any) -> Array:
    """SaturatingRoundingDoublingHighMul of gemmlowp."""
    product = x * y
    total = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.asarray(np.sign(total) * (np.abs(total) >> 31))


def rounding_divide(x: Array, exponent: Any) -> Array:
    """RoundingDivideByPOT of gemmlowp."""
    mask = (np.int64(1) << exponent) - 1
    return np.asarray((x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0)))


def exponential(x: Array) -> Array:
    """exp_on_negative_values of gemmlowp: x with 5 integer bits, at most 0; the result has none."""
    quarter = 1 << 24
    offset = (x & (quarter - 1)) - quarter
    result = _exp_between(offset << DIFFERENCE_BITS)
    remainder = offset - x
    for exponent, factor in (
        (-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242),
    ):  # fmt: skip
        bit = 1 << (26 + exponent)
        result = np.where(remainder & bit, doubling_high(result, np.int64(factor)), result)
    return np.where(x == 0, (1 << 31) - 1, result)


def _exp_between(x: Array) -> Array:
    """exp on [-1/4, 0), no integer bits: a Taylor polynomial around -1/8."""
    x = x + (1 << 28)
    x2 = doubling_high(x, x)
    x3 = doubling_high(x2, x)
    x4 = doubling_high(x2, x2)
    quarter = rounding_divide(x4, 2)
    term = rounding_divide(doubling_high(quarter + x3, np.int64(715827883)) + x2, 1)
    return np.asarray(1895147668 + doubling_high(x + term, np.int64(1895147668)))


def one_over_one_plus(x: Array) -> Array:
    """1 / (1 + x) for x in [0, 1), no integer bits: three steps of Newton's division."""
    # RoundingHalfSum of x and 1, the latter as 2**31 - 1.
    total = x + ((1 << 31) - 1)
    half = np.sign(total) * ((np.abs(total) + 1) >> 1)
    result = 1515870810 + doubling_high(half, np.int64(-1010580540))
    for _ in range(3):
        product = doubling_high(half, result)
        rest = (1 << 29) - product
        result = result + _saturating_left(doubling_high(result, rest), 2)
    return _saturating_left(result, 1)


def _saturating_left(x: Array, by: int) -> Array:
    return np.asarray(np.clip(x << by, -(1 << 31), (1 << 31) - 1))


OPERATIONS: dict[type[Node], Operation] = {
    Softmax: softmax,
}
