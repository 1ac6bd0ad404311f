"""Real numbers to a served network's integers and back, as `edgerig.datasets.preprocess` does it, with fewer steps.

For one sample most of what that takes is not arithmetic, but numpy's way to each step. What is prepared once for a
tensor, and what is left out where it changes nothing, takes it from 14 to 5 us for 784 numbers. The results are the
same bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.preprocess import dequantize, quantize_input
from edgerig.tensors import TensorSpec

Array = NDArray[Any]
Conversion = Callable[[Array], Array]
#: float32 numbers whose squares have a finite sum are below 2e19: divided by a scale above this they stay finite.
LEAST_SCALE = 1e-18
#: Elements up to which that is quicker: more of them make arithmetic the larger part.
FEW = 8192
#: The float32 below 0.5, see `edgerig.datasets.preprocess`.
_BELOW_HALF = np.array(np.nextafter(np.float32(0.5), np.float32(0)))


def quantizer(spec: TensorSpec) -> Conversion:
    """`quantize_input` for one input."""

    def exactly(x: Array) -> Array:
        return quantize_input(x, spec)

    dtype = np.dtype(spec.dtype)
    if not _one_scale(spec) or dtype.itemsize > 1 or dtype.kind not in "iu":
        return exactly
    assert spec.quantization is not None
    # Arrays of no axes: numpy would make one of a number each time.
    scale, zero_point = np.array(spec.quantization.scales[0], np.float32), spec.quantization.zero_point
    limits = np.iinfo(dtype)
    if not (scale > LEAST_SCALE and limits.min <= zero_point <= limits.max):
        return exactly
    least, most, shift = limits.min - zero_point, limits.max - zero_point, np.array(zero_point, dtype)

    def quickly(x: Array) -> Array:
        if x.dtype != np.float32 or x.size > FEW or not x.flags.c_contiguous:
            return quantize_input(x, spec)
        flat = x.reshape(-1)
        # Not finite where any of them is NaN, infinite or very large: squares do not cancel one another.
        if not np.vdot(flat, flat) < np.inf:
            return quantize_input(x, spec)
        scaled = np.divide(x, scale)
        np.add(scaled, np.copysign(_BELOW_HALF, scaled), scaled)
        scaled.clip(least, most, out=scaled)
        # Cut off to an integer of 9 bits with its sign; its lowest 8 are right once the zero point is added to them.
        q: Array = scaled.astype(np.int16).astype(dtype)
        np.add(q, shift, q)
        return q

    return quickly


def dequantizer(spec: TensorSpec) -> Conversion:
    """`dequantize` for one output."""
    dtype = np.dtype(spec.dtype)
    if not _one_scale(spec) or dtype.itemsize > 1 or dtype.kind not in "iu":
        return lambda y: dequantize(y, spec)
    real = dequantize(np.arange(256, dtype=np.uint8).view(dtype), spec)
    return lambda y: real.take(y.view(np.uint8)) if y.size <= FEW else dequantize(y, spec)


def _one_scale(spec: TensorSpec) -> bool:
    quantization = spec.quantization
    return quantization is not None and len(quantization.scales) == 1 and quantization.axis is None
