"""Kernels for x86-64 and aarch64 by vectors of GCC and clang, from the best to the worst."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.simd.conv import ConvSimd, ConvSimdF32
from edgerig.micro.kernels.simd.depthwise import DepthwiseSimd, DepthwiseSimdF32
from edgerig.micro.kernels.simd.elementwise import (
    AveragePoolSimd,
    BinarySimd,
    BinarySimdF32,
    MaxPoolSimd,
    PoolSimdF32,
    QuantizeSimd,
)

SIMD: tuple[Kernel, ...] = (
    ConvSimd(),
    DepthwiseSimd(),
    BinarySimd(),
    MaxPoolSimd(),
    AveragePoolSimd(),
    ConvSimdF32(),
    DepthwiseSimdF32(),
    BinarySimdF32(),
    PoolSimdF32(),
    QuantizeSimd(),
)
