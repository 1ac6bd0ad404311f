"""Processors without SIMD that have kernels, and what these must know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import weight_sums
from edgerig.micro.ir import Weighted
from edgerig.micro.kernels.refusals import Refusal
from edgerig.micro.kernels.scalar.pieces import pieces
from edgerig.micro.kernels.scalar.scaling import Scaling, scaling_of

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Core:
    """A processor.

    Attributes:
        name: Before the names of its kernels.
        needs: Features, `Kernel.needs`.
        assembly: Of sums of rows (``er_sc_rows.h``).
        pieces: Files of ``er_sc_scale_pieces``.
        together: Outputs of a row that these sum at a time.
        outputs: How many of several rows are summed before they are scaled, at most; of one row any number.
        bands: Rows of a depthwise layer's output that are made together at most, by thrift; 0: any number.
        scaling: How sums become int8.
        unsigned: What is added to the inputs of depthwise layers and to the weights of dense ones, 0 or 128: Armv6-M
            loads bytes at a constant offset without their sign alone.
    """

    name: str
    needs: frozenset[str]
    assembly: tuple[Path, ...]
    pieces: tuple[Path, ...]
    together: int
    outputs: int = 64
    bands: tuple[int, int, int] = (0, 0, 0)
    scaling: Callable[[Weighted], Scaling | Refusal] = scaling_of
    unsigned: int = 0

    def depthwise_scaling(self, node: Weighted) -> Scaling | Refusal:
        """The scaling of sums over inputs to which `unsigned` was added."""
        scaling = self.scaling(node)
        return scaling if isinstance(scaling, Refusal) else scaling.without(self.unsigned * weight_sums(node))


def _in_pieces(node: Weighted) -> Scaling | Refusal:
    """In pieces, or else by high words that are put together of four products."""
    short = pieces(node)
    return scaling_of(node) if isinstance(short, Refusal) else short


def in_blocks(matrix: NDArray[np.int8], block: int) -> NDArray[np.int8]:
    """Weights (O, K) so that of each input those of ``block`` channels lie together; the last are filled up."""
    filled = np.pad(matrix, ((0, -len(matrix) % block), (0, 0)))
    return np.ascontiguousarray(filled.reshape(-1, block, matrix.shape[1]).transpose(0, 2, 1))


#: In C.
_PIECES = (HERE / "er_sc_scale_pieces.c",)

RV32 = Core("riscv", frozenset({"rv32m"}), (HERE.parent / "riscv" / "er_rv_rows.S",), _PIECES, 4, bands=(8, 5, 1))
ARMV6M = Core(
    "m0plus",
    frozenset({"thumb1", "scalar"}),
    tuple(HERE / f"er_sc_v6m_{name}.S" for name in ("dot", "copy", "rows", "scale")),
    (HERE / "er_sc_v6m_scale.S", HERE / "er_sc_scale.c"),
    6,
    bands=(8, 5, 1),
    scaling=_in_pieces,
    unsigned=128,
)
ARMV7M = Core(
    "m3",
    frozenset({"thumb2", "scalar"}),
    tuple(HERE / f"er_sc_v7m_{name}.S" for name in ("dot", "copy", "rows")),
    _PIECES,
    4,
    bands=(8, 5, 1),
)
