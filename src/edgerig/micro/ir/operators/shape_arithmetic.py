"""Arithmetic of shapes, all of it known when compiling."""

from __future__ import annotations

from typing import ClassVar

from edgerig.micro.ir.core import DataMovement, Node, Sizes
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row


class Shape(DataMovement):
    """The input's shape, int32; known when compiling."""

    op: ClassVar[str] = "SHAPE"

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ((len(self.input.shape),),)


def shape(reader: OperatorReader) -> Node:
    """Reads SHAPE."""
    return Shape(*reader.parts())


_CONSTANTS = Row("", "", "on what is known when compiling")

RECORDS = (OperatorRecord("SHAPE", Shape, shape, _CONSTANTS, "ShapeOptions", version=1),)
