"""From real numbers to quantized ones and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.arithmetic.requantize import RANGES
from edgerig.micro.ir import Value

Array = NDArray[Any]

#: Quotients beyond it are clamped before they become integers, where they would wrap around.
_FAR = 1e6


def quantize(real: Array, value: Value) -> Array:
    """float32 as the integers of ``value``: divided by its scale, rounded with halves away from zero, clamped."""
    with np.errstate(over="ignore"):
        quotient = real / np.float32(value.scale)
    return to_integers(quotient, value)


def to_integers(quotient: Array, value: Value) -> Array:
    """float32 multiples of the scale of ``value`` as its integers."""
    return clamp(round_away(np.clip(quotient, -_FAR, _FAR).astype(np.float64)) + value.zero_point, value)


def dequantize(stored: Array, value: Value) -> Array:
    """float32 of the integers of ``value``, one scale for all or one a channel; also what was stored as float16.

    Raises:
        CompileError: It has no scale.
    """
    if stored.dtype == np.float16:
        return stored.astype(np.float32)
    if value.quantization is None:
        raise CompileError(f"DEQUANTIZE reads {value.name!r}, which has no scale.", "Quantize the network again.")
    shape = value.quantization.spread(len(value.shape))
    scales = np.array(value.quantization.scales, np.float32).reshape(shape)
    zeros = np.array(value.quantization.zero_points, np.int64).reshape(shape)
    # The product is exact in double precision, and rounded once.
    centred = (stored.astype(np.int64) - zeros).astype(np.float64)
    return (centred * scales.astype(np.float64)).astype(np.float32)


def cast(content: Array, dtype: str) -> Array:
    """The numbers in another type, as CAST makes them: see `edgerig.micro.ir.operators.functions.Cast`."""
    if content.dtype.kind != "f" or dtype in ("float32", "bool"):
        return content.astype(dtype)
    limits = np.iinfo(dtype)
    whole = np.trunc(np.nan_to_num(content.astype(np.float64), nan=0.0))
    return np.clip(whole, limits.min, limits.max).astype(dtype)


def clamp(integers: Array, value: Value) -> Array:
    """Integers clamped to the type of ``value``, and of that type."""
    low, high = RANGES[value.dtype]
    return np.asarray(np.clip(integers, low, high), value.dtype)


def round_away(values: Array) -> NDArray[np.int64]:
    """Halves away from zero, as C's round; int64."""
    return np.asarray(np.sign(values) * np.floor(np.abs(values) + values.dtype.type(0.5)), np.int64)
