"""Operators on two values element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir.core import Node, Sizes, Value
from edgerig.micro.ir.operators.reader import Builder, OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord, Row

#: How far the logarithm of a scale may be from a whole number; LiteRT's own limit is 0.001.
_NEARLY = 0.0011


@dataclass(frozen=True)
class Sides:
    """int8: both sides are shifted left and brought to one scale, twice the larger of theirs, as LiteRT's ADD does.

    Attributes:
        left_shift: Bits by which each side is shifted.
        degree: Factors that an element of the result is a product of: 1 for a sum, 2 for a square.
    """

    left_shift: int
    degree: int = 1


@dataclass(eq=False)
class Binary(Node):
    """Element by element, shapes broadcast as numpy does; its C is in ``micro_<operator>.c``.

    Class attributes:
        on_constants: Computes it where both sides are known when compiling.
        scaling: Of int8: "one", inputs and output have one scale and zero point; "product", the result is multiplied by
            one number; "slope", the first side by one and the product by another; how both sides are brought to one
            scale; or "none", there is no int8.
    """

    on_constants: ClassVar[Callable[..., Any]]
    scaling: ClassVar[Literal["none", "one", "product", "slope"] | Sides]
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
    scaling = Sides(left_shift=20)


class Sub(Binary):
    """Difference."""

    op: ClassVar[str] = "SUB"
    on_constants = np.subtract
    scaling = Sides(left_shift=20)


class Mul(Binary):
    """Product."""

    op: ClassVar[str] = "MUL"
    on_constants = np.multiply
    scaling = "product"


class Maximum(Binary):
    """The greater of both."""

    op: ClassVar[str] = "MAXIMUM"
    on_constants = np.maximum
    scaling = "one"


class Minimum(Binary):
    """The smaller of both."""

    op: ClassVar[str] = "MINIMUM"
    on_constants = np.minimum
    scaling = "one"


class SquaredDifference(Binary):
    """The square of the difference."""

    op: ClassVar[str] = "SQUARED_DIFFERENCE"
    scaling = Sides(left_shift=7, degree=2)

    @staticmethod
    def on_constants(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
        """In the type of both."""
        return np.asarray(np.square(first - second))


class Prelu(Binary):
    """x where it is not below 0, else x times the second value, a slope."""

    op: ClassVar[str] = "PRELU"
    scaling = "slope"

    @staticmethod
    def on_constants(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
        """In the type of both."""
        return np.where(first >= 0, first, first * second)


class Div(Binary):
    """Quotient."""

    op: ClassVar[str] = "DIV"
    on_constants = np.divide
    scaling = "none"


def _check_powers(reader: OperatorReader, *values: Value) -> None:
    """Refuse sums of int16 that LiteRT shifts, since all their scales are powers of 2 or nearly so."""
    exponents = [math.log2(value.scale) for value in values]
    if all(abs(exponent - round(exponent)) < _NEARLY for exponent in exponents):
        reader.refuse("it is int16 of scales that are powers of 2 (pot_scale_int16), which LiteRT computes otherwise")


def binary(kind: type[Binary]) -> Builder:
    """Reads an operator of this family."""

    def read(reader: OperatorReader) -> Node:
        first, second = reader.input(0), reader.input(1)
        if len(reader.inputs) > 2:
            reader.wrong(f"has {len(reader.inputs)} inputs")
        try:
            np.broadcast_shapes(first.shape, second.shape)
        except ValueError:
            reader.wrong(f"combines {list(first.shape)} and {list(second.shape)}")
        if not first.dtype == second.dtype == reader.output.dtype:
            reader.refuse(f"it mixes {first.dtype}, {second.dtype} and {reader.output.dtype}")
        if first.dtype == "int16" and reader.option("pot_scale_int16", False):
            _check_powers(reader, first, second, reader.output)
        if kind.scaling == "slope" and first.shape != reader.output.shape:
            reader.wrong(f"gives a value of {list(first.shape)} slopes of {list(second.shape)}")
        if kind.scaling == "none" and first.dtype != "float32":
            reader.refuse(f"it is {first.dtype}, and supported in float32")
        if kind.scaling == "one":
            same(reader, first, second, reader.output)
        return kind(*reader.parts(), reader.activation())

    return read


_ARITHMETIC = Row(remarks="broadcasting, constants")
_CHOICE = Row(remarks="broadcasting, constants; int8 with one scale and zero point of all tensors")

RECORDS = (
    OperatorRecord("ADD", Add, binary(Add), _ARITHMETIC, "AddOptions"),
    OperatorRecord("SUB", Sub, binary(Sub), _ARITHMETIC, "SubOptions"),
    OperatorRecord("MUL", Mul, binary(Mul), _ARITHMETIC, "MulOptions"),
    OperatorRecord(
        "SQUARED_DIFFERENCE", SquaredDifference, binary(SquaredDifference), _ARITHMETIC, "SquaredDifferenceOptions"
    ),
    OperatorRecord("PRELU", Prelu, binary(Prelu), _ARITHMETIC, version=1),
    OperatorRecord("DIV", Div, binary(Div), Row("", "yes", "broadcasting, constants"), "DivOptions"),
    OperatorRecord("MAXIMUM", Maximum, binary(Maximum), _CHOICE, "MaximumMinimumOptions"),
    OperatorRecord("MINIMUM", Minimum, binary(Minimum), _CHOICE, "MaximumMinimumOptions"),
)
