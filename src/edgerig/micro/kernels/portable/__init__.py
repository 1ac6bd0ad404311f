"""Kernels in C99 for any CPU. Together they run every operator that the compiler knows."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel

PORTABLE: tuple[Kernel, ...] = ()
