"""Operators on two values element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgerig.micro.ir.core import Node, Sizes
from edgerig.micro.ir.operators.reader import Builder, OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord, Row


@dataclass(eq=False)
class Binary(Node):
    """Element by element, shapes broadcast as numpy does; its C is in ``micro_<operator>.c``.

    Class attributes:
        on_constants: Computes it where both sides are known when compiling.
        one_scale: int8 inputs and output have one scale and zero point.
    """

    on_constants: ClassVar[np.ufunc]
    one_scale: ClassVar[bool] = False
    activation: str = "NONE"

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (np.broadcast_shapes(*(value.shape for value in self.inputs)),)


class Add(Binary):
    """Sum."""

    op: ClassVar[str] = "ADD"
    on_constants = np.add


class Sub(Binary):
    """Difference."""

    op: ClassVar[str] = "SUB"
    on_constants = np.subtract


class Mul(Binary):
    """Product."""

    op: ClassVar[str] = "MUL"
    on_constants = np.multiply


class Maximum(Binary):
    """The greater of both."""

    op: ClassVar[str] = "MAXIMUM"
    on_constants = np.maximum
    one_scale = True


class Minimum(Binary):
    """The smaller of both."""

    op: ClassVar[str] = "MINIMUM"
    on_constants = np.minimum
    one_scale = True


def binary(kind: type[Binary]) -> Builder:
    """Reads an operator of this family."""

    def read(reader: OperatorReader) -> Node:
        first, second = reader.input(0), reader.input(1)
        try:
            np.broadcast_shapes(first.shape, second.shape)
        except ValueError:
            reader.wrong(f"combines {list(first.shape)} and {list(second.shape)}")
        if not first.dtype == second.dtype == reader.output.dtype:
            reader.refuse(f"it mixes {first.dtype}, {second.dtype} and {reader.output.dtype}")
        if kind.one_scale:
            same(reader, first, second, reader.output)
        return kind(*reader.parts(), reader.activation())

    return read


_ARITHMETIC = Row(remarks="broadcasting, constants")
_CHOICE = Row(remarks="broadcasting, constants; int8 with one scale and zero point of all tensors")

RECORDS = (
    OperatorRecord("ADD", Add, binary(Add), _ARITHMETIC, "AddOptions"),
    OperatorRecord("SUB", Sub, binary(Sub), _ARITHMETIC, "SubOptions"),
    OperatorRecord("MUL", Mul, binary(Mul), _ARITHMETIC, "MulOptions"),
    OperatorRecord("MAXIMUM", Maximum, binary(Maximum), _CHOICE, "MaximumMinimumOptions"),
    OperatorRecord("MINIMUM", Minimum, binary(Minimum), _CHOICE, "MaximumMinimumOptions"),
)
