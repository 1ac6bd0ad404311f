"""Functions of one value, softmax, means, changes of scale and type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from edgerig.micro.ir.core import Node, Reduction, SameShape
from edgerig.micro.ir.operators.reader import Builder, OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row


@dataclass(eq=False)
class Unary(SameShape):
    """A function of one value, element by element.

    Of each there is a table and a function in ``arithmetic/tables.py``, and C of floats.

    Class attributes:
        parameters: Options of the operator that are numbers; fields of the class, and arguments of its C.
        int8_output: Scale and zero point that LiteRT asks of its int8 output; None for any.
        positive: It is a number only of positive values; int8 inputs must have no others.
    """

    parameters: ClassVar[tuple[str, ...]] = ()
    int8_output: ClassVar[tuple[float, int] | None] = None
    positive: ClassVar[bool] = False


@dataclass(eq=False)
class Relu(Unary):
    """Clamps at one or both sides: ``activation`` is RELU, RELU6, RELU_N1_TO_1."""

    op: ClassVar[str] = "RELU"
    activation: str = "RELU"

    @property
    def label(self) -> str:
        return self.activation


class Logistic(Unary):
    """Sigmoid."""

    op: ClassVar[str] = "LOGISTIC"
    int8_output = (1 / 256, -128)


class Tanh(Unary):
    """Hyperbolic tangent."""

    op: ClassVar[str] = "TANH"
    int8_output = (1 / 128, 0)


class HardSwish(Unary):
    """x * relu6(x + 3) / 6."""

    op: ClassVar[str] = "HARD_SWISH"


@dataclass(eq=False)
class LeakyRelu(Unary):
    """x where it is above 0, else alpha * x."""

    op: ClassVar[str] = "LEAKY_RELU"
    parameters = ("alpha",)
    alpha: float = 0.0


class Abs(Unary):
    """The value without its sign."""

    op: ClassVar[str] = "ABS"


class Neg(Unary):
    """The value with the other sign."""

    op: ClassVar[str] = "NEG"


class Exp(Unary):
    """e to the power of x."""

    op: ClassVar[str] = "EXP"


class Log(Unary):
    """The natural logarithm; in int8 of what is not above 0 the least value."""

    op: ClassVar[str] = "LOG"
    positive = True


class Sqrt(Unary):
    """The square root."""

    op: ClassVar[str] = "SQRT"
    positive = True


class Rsqrt(Unary):
    """One over the square root; in int8 of 0 the greatest value."""

    op: ClassVar[str] = "RSQRT"
    positive = True


@dataclass(eq=False)
class Gelu(Unary):
    """x times the normal distribution's integral up to x; by a tanh where ``approximate`` is 1."""

    op: ClassVar[str] = "GELU"
    parameters = ("approximate",)
    approximate: float = 0.0


class Quantize(SameShape):
    """Real to quantized, or quantized to quantized with another scale or type."""

    op: ClassVar[str] = "QUANTIZE"


class Dequantize(SameShape):
    """Quantized to real."""

    op: ClassVar[str] = "DEQUANTIZE"


class Cast(SameShape):
    """The same numbers in another type, whatever their scale.

    Of floats what is behind the point is cut off, and what does not fit is limited; of integers the lowest bits count.
    """

    op: ClassVar[str] = "CAST"


@dataclass(eq=False)
class Lookup(SameShape):
    """A function of one byte as a table of its 256 results, from the lowest value on; several operators in one."""

    op: ClassVar[str] = "LOOKUP"
    parts: tuple[Node, ...] = ()

    @property
    def label(self) -> str:
        return "+".join(part.label for part in self.parts)


@dataclass(eq=False)
class Softmax(SameShape):
    """Softmax over the last axis of beta * x."""

    op: ClassVar[str] = "SOFTMAX"
    beta: float = 1.0


class LogSoftmax(SameShape):
    """The natural logarithm of the softmax over the last axis."""

    op: ClassVar[str] = "LOG_SOFTMAX"


class Mean(Reduction):
    """The mean."""

    op: ClassVar[str] = "MEAN"


def function(kind: type[Unary], **more: Any) -> Builder:
    """Reads a function of one value, and its parameters."""

    def read(reader: OperatorReader) -> Node:
        numbers = {name: float(reader.option(name, 0.0)) for name in kind.parameters}
        for name, number in numbers.items():
            if not math.isfinite(number):
                reader.wrong(f"has the {name} {number}")
        return kind(reader.name, reader.position, [reader.input()], [reader.output], **more, **numbers)

    return read


def conversion(kind: type[Node]) -> Builder:
    """Reads QUANTIZE or DEQUANTIZE."""

    def read(reader: OperatorReader) -> Node:
        return kind(reader.name, reader.position, [reader.input()], [reader.output])

    return read


def softmax(reader: OperatorReader) -> Node:
    """Reads SOFTMAX."""
    if not reader.input().shape:
        reader.wrong("has no axis")
    return Softmax(*reader.parts(), float(reader.option("beta", 1.0)))


def log_softmax(reader: OperatorReader) -> Node:
    """Reads LOG_SOFTMAX."""
    value, output = reader.input(), reader.output
    if not value.shape:
        reader.wrong("has no axis")
    if output.dtype == "int8" and (output.scale, output.zero_point) != LOG_SOFTMAX_OUTPUT:
        reader.refuse("its int8 output has another scale than 1/16, or another zero point than 127")
    if output.dtype == "int8" and value.shape[-1] > MOST_EXPONENTIALS:
        reader.refuse(
            f"it is over {value.shape[-1]} int8 values; exponentials of more than {MOST_EXPONENTIALS} overflow the sum "
            "that LiteRT has for them, too"
        )
    return LogSoftmax(*reader.parts())


def mean(reader: OperatorReader) -> Node:
    """Reads MEAN."""
    value = reader.input()
    rank = len(value.shape)
    axes = tuple(sorted({reader.axis(axis, rank) for axis in reader.constant(1)}))
    keep_dims = bool(reader.option("keep_dims", False))
    return Mean(reader.name, reader.position, [value], [reader.output], axes, keep_dims)


#: Scale and zero point that LiteRT asks of the int8 output of LOG_SOFTMAX: from -16 to 0.
LOG_SOFTMAX_OUTPUT = (1 / 16, 127)
#: Exponentials, each at most 1, whose sum of 12 integer bits cannot overflow.
MOST_EXPONENTIALS = 4095

#: What CAST is supported from and to.
CASTS = ("float32", "int8", "uint8", "int16", "int32", "bool")


def cast(reader: OperatorReader) -> Node:
    """Reads CAST."""
    value, output = reader.input(), reader.output
    if not {value.dtype, output.dtype} <= set(CASTS):
        reader.refuse(f"it casts {value.dtype} to {output.dtype}")
    return Cast(reader.name, reader.position, [value], [output])


_TABLES = Row(remarks="int8 by a table of 256 bytes")
_POSITIVE = Row(
    remarks="int8 by a table of 256 bytes, of an input whose zero point is -128: none of its values is negative"
)
_CONVERSIONS = Row(
    remarks="float32, int8 and uint8 in every direction; weights stored as float16, or as int8 or uint8 with one scale "
    "or one a channel, are unpacked when compiling"
)

RECORDS = (
    OperatorRecord("MEAN", Mean, mean, Row(remarks="any axes"), "ReducerOptions"),
    OperatorRecord("RELU", Relu, function(Relu, activation="RELU"), _TABLES),
    OperatorRecord("RELU6", Relu, function(Relu, activation="RELU6"), _TABLES),
    OperatorRecord("RELU_N1_TO_1", Relu, function(Relu, activation="RELU_N1_TO_1"), _TABLES, version=1),
    OperatorRecord("LOGISTIC", Logistic, function(Logistic), _TABLES),
    OperatorRecord("TANH", Tanh, function(Tanh), _TABLES),
    OperatorRecord("HARD_SWISH", HardSwish, function(HardSwish), _TABLES, "HardSwishOptions", version=1),
    OperatorRecord("LEAKY_RELU", LeakyRelu, function(LeakyRelu), _TABLES, "LeakyReluOptions"),
    OperatorRecord("ABS", Abs, function(Abs), _TABLES, "AbsOptions"),
    OperatorRecord(
        "NEG", Neg, function(Neg), Row("", "yes", "LiteRT's int8 kernel leaves zero points out"), "NegOptions", 1
    ),
    OperatorRecord("EXP", Exp, function(Exp), _TABLES, "ExpOptions"),
    OperatorRecord("LOG", Log, function(Log), _TABLES),
    OperatorRecord("SQRT", Sqrt, function(Sqrt), _POSITIVE),
    OperatorRecord("RSQRT", Rsqrt, function(Rsqrt), _POSITIVE),
    OperatorRecord("GELU", Gelu, function(Gelu), _TABLES, "GeluOptions"),
    OperatorRecord("SOFTMAX", Softmax, softmax, Row(remarks="last axis; int8 output of scale 1/256"), "SoftmaxOptions"),
    OperatorRecord(
        "LOG_SOFTMAX",
        LogSoftmax,
        log_softmax,
        Row(remarks="last axis; int8 output of scale 1/16, zero point 127, over at most 4095 values"),
        "LogSoftmaxOptions",
    ),
    OperatorRecord("QUANTIZE", Quantize, conversion(Quantize), _CONVERSIONS),
    OperatorRecord("CAST", Cast, cast, Row(remarks="also uint8, int16, int32, bool"), "CastOptions", version=1),
    OperatorRecord("DEQUANTIZE", Dequantize, conversion(Dequantize), _CONVERSIONS, per_channel=(0,)),
)
