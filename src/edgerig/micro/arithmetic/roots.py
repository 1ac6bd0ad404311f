"""One over the square root of an integer, in the fixed point of LiteRT's RSQRT of int8.

The steps are those of GetInvSqrtQuantizedMultiplierExp of TensorFlow Lite: five of Newton's in numbers of 3 bits before
the point, with gemmlowp's rounding.
"""

from __future__ import annotations

import math

import numpy as np

from edgerig.micro.arithmetic.requantize import quantize_multiplier, scale_by

#: Bits before the point of the iteration's numbers, and the bits that the result is kept longer than an integer.
_WHOLE_BITS, _MORE_BITS = 3, 20
#: The square root of one half, in 31 bits behind the point.
_ROOT_OF_HALF = round(math.sqrt(0.5) * (1 << 31))


def sqrt_scale(source: float, target: float) -> tuple[int, int]:
    """Multiplier and exponent that bring 1 / sqrt(integer) to the output's scale."""
    return quantize_multiplier(1 / (math.sqrt(float(np.float32(source))) * float(np.float32(target))))


def inverse_root(value: int, scale: tuple[int, int]) -> int:
    """1 / sqrt(value) in steps of the output; ``value`` is at least 1, ``scale`` that of `sqrt_scale`."""
    multiplier, exponent = _inverse_root(value)
    kept = int(scale_by((multiplier, exponent + _MORE_BITS), np.array(1)))
    return int(scale_by((scale[0], scale[1] - _MORE_BITS), np.array(kept)))


def _inverse_root(value: int) -> tuple[int, int]:
    """1 / sqrt(value) as multiplier * 2**(exponent - 31)."""
    if value == 1:
        return (1 << 31) - 1, 0
    # By whole factors of 4, until the highest bit is the 29th or 30th.
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    exponent = pairs - 11
    half = ((value << 2 * pairs) // 2 + 1) // 2
    guess = 1 << (31 - _WHOLE_BITS)
    one_and_a_half = 3 << (30 - _WHOLE_BITS)
    for _ in range(5):
        cube = _within(_high(_high(guess, guess), guess) << 2 * _WHOLE_BITS)
        guess = _within((_high(one_and_a_half, guess) - _high(half, cube)) << _WHOLE_BITS)
    multiplier = _high(guess, _ROOT_OF_HALF)
    return (multiplier << exponent, 0) if exponent > 0 else (multiplier, exponent)


def _high(first: int, second: int) -> int:
    """gemmlowp's rounding, doubling high multiply of numbers that are not negative."""
    return (first * second + (1 << 30)) >> 31


def _within(number: int) -> int:
    """Saturated as an int32."""
    return min(number, (1 << 31) - 1)
