"""Kernels for Arm's M profile with DSP instructions and FPU, from the best to the worst."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel

CORTEX_M: tuple[Kernel, ...] = ()
