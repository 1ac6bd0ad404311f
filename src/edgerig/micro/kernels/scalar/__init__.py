"""Kernels for processors without SIMD: what several share, and those of Cortex-M0+ and M3, the best first."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.scalar.conv import ConvPairs, ConvPoolPairs
from edgerig.micro.kernels.scalar.cores import ARMV6M, ARMV7M
from edgerig.micro.kernels.scalar.dense import DensePixels
from edgerig.micro.kernels.scalar.depthwise import DepthwiseRows
from edgerig.micro.kernels.scalar.means import Means
from edgerig.micro.kernels.scalar.sums import Sums

SCALAR: tuple[Kernel, ...] = tuple(
    kernel
    for core in (ARMV6M, ARMV7M)
    for kernel in (
        ConvPoolPairs(core),
        DensePixels(core),
        ConvPairs(core),
        DepthwiseRows(core),
        Sums(core),
        Means(core),
    )
)
