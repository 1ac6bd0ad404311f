"""An operator of a file as the builders see it: its values, its options, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from edgerig.errors import CompileError, ModelError
from edgerig.micro.ir.core import Node, Value


@dataclass
class OperatorReader:
    """An operator of the file with its values; ``inputs`` are None where left out."""

    op: str
    name: str
    position: int
    inputs: list[Value | None]
    outputs: list[Value]
    options: dict[str, Any] = field(default_factory=dict)
    #: What it computes within, for the scales.
    intermediates: list[Value | None] = field(default_factory=list)
    #: Its weights of uint8 took 16 bits when their zero point was taken off.
    widened: bool = False

    @property
    def where(self) -> str:
        return f"operator {self.position} ({self.op}, {self.name})"

    def input(self, position: int = 0) -> Value:
        """An input that must be there."""
        value = self.optional(position)
        if value is None:
            raise ModelError(f"The file is corrupt: {self.where} has no input {position}.")
        return value

    def optional(self, position: int) -> Value | None:
        return self.inputs[position] if position < len(self.inputs) else None

    @property
    def output(self) -> Value:
        if len(self.outputs) != 1:
            raise ModelError(f"The file is corrupt: {self.where} has {len(self.outputs)} outputs.")
        return self.outputs[0]

    def constant(self, position: int) -> list[int]:
        """Whole numbers that must be known when compiling, flat."""
        value = self.input(position)
        if not value.constant or value.dtype not in ("int32", "int64"):
            self.refuse(f"its input {position} ({value.name}) is not known when compiling")
        return [int(number) for number in value.array.reshape(-1)]

    def weights(self, position: int = 1) -> Value:
        """Weights: constant, and symmetric where quantized."""
        value = self.input(position)
        if not value.constant:
            self.refuse("its weights are not constant")
        if value.quantization is not None and any(value.quantization.zero_points) and value.dtype != "uint8":
            self.refuse("its weights have a zero point other than 0")
        return value

    def option(self, key: str, default: Any = 0) -> Any:
        value = self.options.get(key)
        return default if value is None else value

    def activation(self) -> str:
        name = str(self.option("fused_activation_function", "NONE"))
        if name not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            self.refuse(f"its fused activation {name} is not supported")
        return name

    def rank(self, value: Value, rank: int) -> Value:
        if len(value.shape) != rank:
            self.refuse(f"{value.name} has the shape {list(value.shape)} and should have {rank} axes")
        return value

    def image(self, position: int = 0, *, batched: bool = False) -> Value:
        """An activation (1, H, W, C); ``batched`` ones may be several, which a pass refuses if it cannot fold them."""
        value = self.rank(self.input(position), 4)
        if value.shape[0] != 1 and not batched:
            self.refuse(f"its batch is {value.shape[0]}; only single samples are supported")
        return value

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            self.wrong(f"names axis {axis} of {rank}")
        return axis % rank

    def makes(self, shape: tuple[int, ...], output: Value | None = None) -> None:
        """Refuse the file if it states another shape than the operator gives."""
        output = output or self.output
        if tuple(shape) != output.shape:
            self.wrong(f"makes {list(shape)}, and the file says {list(output.shape)}")

    def refuse(self, why: str) -> NoReturn:
        raise CompileError(f"{self.where} cannot be compiled: {why}.")

    def wrong(self, why: str) -> NoReturn:
        raise ModelError(f"The file is corrupt: {self.where} {why}.", "Was it copied whole? Make or fetch it again.")

    def pair(self, first: str, second: str) -> tuple[int, int]:
        """Two options that must be at least 1."""
        values = int(self.option(first, 1)), int(self.option(second, 1))
        if min(values) < 1:
            self.wrong(f"has {first} {values[0]} and {second} {values[1]}")
        return values

    def parts(self) -> tuple[str, int, list[Value], list[Value]]:
        """What every node takes."""
        return self.name, self.position, [value for value in self.inputs if value is not None], self.outputs


#: Makes the node of an operator.
Builder = Callable[[OperatorReader], Node]


def same(reader: OperatorReader, *values: Value) -> None:
    """One type, and for integers one scale and zero point."""
    first = values[0]
    for value in values:
        if value.dtype != first.dtype:
            reader.refuse(f"it mixes {first.dtype} and {value.dtype}")
        if value.dtype in ("int8", "uint8", "int16") and value.quantization != first.quantization:
            reader.refuse(f"{first.name} and {value.name} have different scales or zero points")
