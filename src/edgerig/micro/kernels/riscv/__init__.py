"""Kernels for RISC-V with multiplication and nothing more (RV32IMC), from the best to the worst."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.riscv.conv import ConvBlocks, ConvPoolBlocks
from edgerig.micro.kernels.riscv.depthwise import DepthwiseRows

RISCV: tuple[Kernel, ...] = (ConvPoolBlocks(), ConvBlocks(), DepthwiseRows())
