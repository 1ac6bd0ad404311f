"""All kernels, from the best to the worst: the first that works on the CPU and accepts a node takes it."""

from __future__ import annotations

from functools import lru_cache

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.cortex_m import CORTEX_M
from edgerig.micro.kernels.helium import HELIUM
from edgerig.micro.kernels.portable import PORTABLE
from edgerig.micro.kernels.riscv import RISCV
from edgerig.micro.kernels.scalar import SCALAR
from edgerig.micro.kernels.simd import SIMD
from edgerig.micro.options import Options

KERNELS: tuple[Kernel, ...] = (*HELIUM, *CORTEX_M, *RISCV, *SCALAR, *SIMD, *PORTABLE)


def kernels_for(options: Options) -> tuple[Kernel, ...]:
    """The kernels that work on the CPU, in order."""
    return _running_on(options.features)


@lru_cache
def _running_on(features: frozenset[str]) -> tuple[Kernel, ...]:
    return tuple(kernel for kernel in KERNELS if kernel.needs <= features)
