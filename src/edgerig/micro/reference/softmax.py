"""Softmax and its logarithm: in gemmlowp's fixed point for int8, as reference_ops of TensorFlow Lite has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.micro.arithmetic.int16 import softmax16
from edgerig.micro.arithmetic.requantize import scale_by
from edgerig.micro.arithmetic.scales import DIFFERENCE_BITS, log_softmax_inverse, softmax_scale
from edgerig.micro.ir import Node, Softmax
from edgerig.micro.ir.operators.functions import LogSoftmax
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
    if values.dtype == np.int16:
        return [softmax16(node, values)]
    return [_integer(node, values)]


def log_softmax(node: LogSoftmax, inputs: list[Array]) -> list[Array]:
    """LOG_SOFTMAX over the last axis."""
    values = inputs[0]
    if values.dtype == np.float32:
        real = values.astype(np.float64)
        above = real - real.max(-1, keepdims=True)
        return [(above - np.log(np.exp(above).sum(-1, keepdims=True))).astype(np.float32)]
    differences, scaled, _, sums = _powers(node, values)
    logarithm = logarithm_of_sum(sums)
    smallest = softmax_scale(node)[2]
    reached = np.maximum(smallest - 1, scale_by(log_softmax_inverse(node), logarithm - (1 << 31)))
    output_bits = 31 - DIFFERENCE_BITS - 4
    results = rounding_divide(scaled - logarithm, output_bits) + node.output.zero_point
    return [np.where(differences > reached, np.clip(results, -128, 127), -128).astype(np.int8)]


def _powers(node: Softmax | LogSoftmax, values: Array) -> tuple[Array, Array, Array, Array]:
    """Differences to the greatest value, the same scaled, exp of these, and the sums of those that count."""
    multiplier, shift, least = softmax_scale(node)
    wide = values.astype(np.int64)
    differences = wide - wide.max(-1, keepdims=True)
    counts = differences >= least
    scaled = np.where(counts, doubling_high(differences << shift, np.int64(multiplier)), 0)
    powers = exponential(scaled)
    sums = np.where(counts, rounding_divide(powers, SUM_BITS), 0).sum(-1, keepdims=True)
    return differences, scaled, powers, np.minimum(sums, (1 << 31) - 1)


def _integer(node: Softmax, values: Array) -> Array:
    differences, _, powers, sums = _powers(node, values)
    counts = differences >= softmax_scale(node)[2]
    reciprocal, bits_over = _reciprocal(sums)
    shifted = doubling_high(reciprocal, powers)
    exponent = bits_over + 31 - 8
    results = rounding_divide(shifted, exponent) - 128
    return np.clip(np.where(counts, results, -128), -128, 127).astype(np.int8)


def _reciprocal(sums: Array) -> tuple[Array, Array]:
    """1 / sum as fixed point, and the bits by which the sum is over 1 (GetReciprocal)."""
    zeros = _leading_zeros(sums)
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


def logarithm_of_sum(x: Array) -> Array:
    """log_x_for_x_greater_than_or_equal_to_1 of TensorFlow Lite: x with 12 integer bits, the result with 5.

    The number is taken apart twice, into r * 2**n with r about 1 or about sqrt(1/2); the better n and r give
    n * log(2) + log(r), the latter by a quotient of polynomials around the fourth root of 1/2.
    """
    quarter, exponent_unit = 1 << 23, 1 << 25
    half_root, fourth_root = np.int64(1518500250), 1805811301
    zeros = _leading_zeros(x)
    first = _saturating_left(doubling_high(x << (zeros - 1), half_root), 1)
    first_exponent = (SUM_BITS - zeros) * exponent_unit + quarter
    second_zeros = _leading_zeros(doubling_high(x, half_root)) - 1
    second = np.clip(x << second_zeros, None, (1 << 31) - 1)
    second_exponent = (SUM_BITS - second_zeros) * exponent_unit - quarter
    r, exponent = np.minimum(first, second), np.maximum(first_exponent, second_exponent)
    mean = (r + fourth_root + 1) >> 1
    q = 2 * (r - fourth_root)
    square = doubling_high(q, q)
    numerator = doubling_high(q, r) + doubling_high(doubling_high(q, square), np.int64(117049297))
    inner = 1057819769 + q + doubling_high(square, np.int64(127690142))
    denominator = doubling_high(mean, inner) + doubling_high(q, np.int64(638450708))
    quotient = doubling_high(rounding_divide(numerator, 6), one_over_one_plus(denominator))
    return _saturating_left(doubling_high(exponent, np.int64(1488522236)) + quotient, 1)


def _leading_zeros(x: Array) -> Array:
    """Of 32 bits."""
    return np.array([32 - int(value).bit_length() for value in x.reshape(-1)], np.int64).reshape(x.shape)


def _saturating_left(x: Array, by: int) -> Array:
    return np.asarray(np.clip(x << by, -(1 << 31), (1 << 31) - 1))


OPERATIONS: dict[type[Node], Operation] = {
    Softmax: softmax,
    LogSoftmax: log_softmax,
}
