"""Arithmetic of shapes, all of it known when compiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import DataMovement, Node, Sizes
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row


class Shape(DataMovement):
    """The input's shape, int32; known when compiling."""

    op: ClassVar[str] = "SHAPE"

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ((len(self.input.shape),),)


@dataclass(eq=False)
class Pack(DataMovement):
    """Inputs stacked along the new ``axis``; only on what is known when compiling."""

    op: ClassVar[str] = "PACK"
    axis: int = 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        shape = self.input.shape
        return ((*shape[: self.axis], len(self.inputs), *shape[self.axis :]),)


def shape(reader: OperatorReader) -> Node:
    """Reads SHAPE."""
    return Shape(*reader.parts())


def pack(reader: OperatorReader) -> Node:
    """Reads PACK."""
    values = [reader.input(position) for position in range(len(reader.inputs))]
    if not all(value.constant and value.shape == values[0].shape for value in values):
        reader.refuse("it packs what is not known when compiling")
    axis = reader.axis(int(reader.option("axis", 0)), len(values[0].shape) + 1)
    return Pack(*reader.parts(), axis)


_CONSTANTS = Row("", "", "on what is known when compiling")

RECORDS = (
    OperatorRecord("SHAPE", Shape, shape, _CONSTANTS, "ShapeOptions", version=1),
    OperatorRecord("PACK", Pack, pack, _CONSTANTS, "PackOptions", version=1),
)
