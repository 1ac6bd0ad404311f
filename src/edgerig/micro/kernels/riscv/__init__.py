"""Kernels for RISC-V with multiplication and nothing more (RV32IMC), from the best to the worst."""

from __future__ import annotations

from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.riscv.conv import ConvBlocks, ConvPoolBlocks
from edgerig.micro.kernels.scalar.cores import RV32
from edgerig.micro.kernels.scalar.depthwise import DepthwiseRows
from edgerig.micro.kernels.scalar.means import Means
from edgerig.micro.kernels.scalar.sums import Sums

RISCV: tuple[Kernel, ...] = (ConvPoolBlocks(), ConvBlocks(), DepthwiseRows(RV32), Sums(RV32), Means(RV32))
