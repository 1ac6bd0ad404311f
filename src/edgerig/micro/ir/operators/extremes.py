"""Greatest and least values along axes, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import Node, Reduction, Sizes
from edgerig.micro.ir.operators.reader import Builder, OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord, Row


class Extreme(Reduction):
    """One of the values."""


class ReduceMax(Extreme):
    """The greatest."""

    op: ClassVar[str] = "REDUCE_MAX"


class ReduceMin(Extreme):
    """The least."""

    op: ClassVar[str] = "REDUCE_MIN"


@dataclass(eq=False)
class ArgExtreme(Node):
    """The first index along ``axis`` (not negative) of one value out of those along it."""

    axis: int = 0

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        shape = self.input.shape
        return ((*shape[: self.axis], *shape[self.axis + 1 :]),)


class ArgMax(ArgExtreme):
    """Of the greatest."""

    op: ClassVar[str] = "ARG_MAX"


class ArgMin(ArgExtreme):
    """Of the least."""

    op: ClassVar[str] = "ARG_MIN"


def extreme(kind: type[Extreme]) -> Builder:
    """Reads REDUCE_MAX or REDUCE_MIN."""

    def read(reader: OperatorReader) -> Node:
        value = reader.input()
        axes = tuple(sorted({reader.axis(axis, len(value.shape)) for axis in reader.constant(1)}))
        same(reader, value, reader.output)
        keep_dims = bool(reader.option("keep_dims", False))
        return kind(reader.name, reader.position, [value], [reader.output], axes, keep_dims)

    return read


def arg_extreme(kind: type[ArgExtreme]) -> Builder:
    """Reads ARG_MAX or ARG_MIN."""

    def read(reader: OperatorReader) -> Node:
        value, axes = reader.input(), reader.constant(1)
        if len(axes) != 1:
            reader.wrong(f"names the axes {axes}")
        if reader.output.dtype not in ("int32", "int64"):
            reader.refuse(f"its output is {reader.output.dtype}; supported: int32, int64")
        axis = reader.axis(axes[0], len(value.shape))
        return kind(reader.name, reader.position, [value], [reader.output], axis)

    return read


_EXTREMES = Row(remarks="any axes; int8 with one scale and zero point of input and output")
_ARGS = Row(remarks="int32 or int64 output, the first of equals")

RECORDS = (
    OperatorRecord("REDUCE_MAX", ReduceMax, extreme(ReduceMax), _EXTREMES, "ReducerOptions"),
    OperatorRecord("REDUCE_MIN", ReduceMin, extreme(ReduceMin), _EXTREMES, "ReducerOptions"),
    OperatorRecord("ARG_MAX", ArgMax, arg_extreme(ArgMax), _ARGS, "ArgMaxOptions"),
    OperatorRecord("ARG_MIN", ArgMin, arg_extreme(ArgMin), _ARGS, "ArgMinOptions"),
)
