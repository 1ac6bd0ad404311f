"""Products of matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgerig.micro.ir.core import Node, Sizes
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row


@dataclass(eq=False)
class BatchMatMul(Node):
    """Products of matrices (..., M, K) and (..., K, N); ``transposed`` says which side is stored transposed."""

    op: ClassVar[str] = "BATCH_MATMUL"
    transposed: tuple[bool, bool] = (False, False)

    @property
    def depth(self) -> int:
        """K."""
        return self.input.shape[-2 if self.transposed[0] else -1]

    @property
    def macs(self) -> int:
        return self.output.elements * self.depth

    def output_shapes(self) -> tuple[Sizes, ...]:
        first, second = self.inputs
        rows = first.shape[-1 if self.transposed[0] else -2]
        columns = second.shape[-2 if self.transposed[1] else -1]
        return ((*np.broadcast_shapes(first.shape[:-2], second.shape[:-2]), rows, columns),)


def batch_matmul(reader: OperatorReader) -> Node:
    """Reads BATCH_MATMUL."""
    first, second = reader.input(0), reader.input(1)
    sides = bool(reader.option("adj_x", False)), bool(reader.option("adj_y", False))
    if min(len(first.shape), len(second.shape)) < 2:
        reader.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    (_, depth), (depth_too, _) = (
        value.shape[-2:][::-1] if turned else value.shape[-2:]
        for value, turned in zip((first, second), sides, strict=True)
    )
    try:
        np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    except ValueError:
        reader.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    if depth != depth_too:
        reader.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    for value in (first, second, reader.output):
        if value.dtype != first.dtype:
            reader.refuse(f"it mixes {first.dtype} and {value.dtype}")
        if value.quantization is not None and len(value.quantization.scales) != 1:
            reader.refuse(f"{value.name} has a scale for each channel")
    return BatchMatMul(*reader.parts(), sides)


RECORDS = (
    OperatorRecord(
        "BATCH_MATMUL",
        BatchMatMul,
        batch_matmul,
        Row(remarks="int8 with one scale for each tensor"),
        "BatchMatMulOptions",
    ),
)
