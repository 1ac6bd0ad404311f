"""Values, nodes, and the program that they make.

A `Program` lists its nodes in the order in which they run. A `Value` is made by one node, or is an input, a constant
(``data``) or a state variable (``variable``, with its initial content in ``data``). Shapes are static and carry the
batch axis of 1; tensors lie as TFLite has them (NHWC) unless kernels agree on another layout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from numpy.typing import NDArray

from edgerig.artifact import ITEM_SIZES, Quantization
from edgerig.errors import CompileError

#: A shape: sizes of the axes.
Sizes = tuple[int, ...]


@dataclass(eq=False)
class Value:
    """A tensor: activation, constant or state variable.

    Attributes:
        dtype: Numpy's name of the element type.
        quantization: Scales and zero points; None for real numbers and indices.
        data: Content of a constant, or what a state variable holds at the start; None for an activation.
        variable: Keeps its content from one inference to the next.
        base: The value in whose memory it lies, from byte ``offset`` on; None for one with memory of its own.
        packed: An int8 constant of 4 bits each, two of which are a byte of the file, and of flash where kernels can.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: NDArray[Any] | None = None
    variable: bool = False
    base: Value | None = None
    offset: int = 0
    packed: bool = False

    @property
    def constant(self) -> bool:
        """Known when compiling."""
        return self.data is not None and not self.variable

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in the plain layout."""
        return self.elements * ITEM_SIZES[self.dtype]

    @property
    def quantized(self) -> bool:
        """Has a scale."""
        return self.quantization is not None

    @property
    def scale(self) -> float:
        """The scale of a tensor that is quantized as a whole.

        Raises:
            CompileError: It has one a channel, or none.
        """
        return self._whole().scale

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that is quantized as a whole.

        Raises:
            CompileError: It has one a channel, or none.
        """
        return self._whole().zero_point

    @property
    def array(self) -> NDArray[Any]:
        """Content of a constant."""
        if self.data is None:
            raise CompileError(f"{self.name!r} is no constant.")
        return self.data

    @property
    def scales(self) -> tuple[float, ...]:
        """All scales: one, or one a channel.

        Raises:
            CompileError: It has none.
        """
        return self._any().scales

    @property
    def per_channel(self) -> bool:
        """Has a scale or zero point for each channel."""
        return self.quantization is not None and self.quantization.per_channel

    def _any(self) -> Quantization:
        if self.quantization is None or not self.quantization.scales:
            raise CompileError(f"Tensor {self.name!r} ({self.dtype}) has no scale.", "Quantize the whole network.")
        return self.quantization

    def _whole(self) -> Quantization:
        if self._any().per_channel:
            raise CompileError(
                f"Tensor {self.name!r} ({self.dtype}) has {len(self.scales)} scales, one a channel; one is needed.",
                "Quantize it as a whole.",
            )
        return self._any()


@dataclass(frozen=True)
class Padding:
    """Rows and columns of zero (in int8: of the zero point) around an image."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    @property
    def none(self) -> bool:
        """No padding at all."""
        return not (self.top or self.left or self.bottom or self.right)


NO_PADDING = Padding()


@dataclass(eq=False)
class Node:
    """One operator.

    Attributes:
        name: As the file has it, for people.
        position: Index of the operator in the file.
        inputs: Values it reads, constants included.
        outputs: Values it makes.
    """

    op: ClassVar[str] = ""
    name: str
    position: int
    inputs: list[Value]
    outputs: list[Value]

    @property
    def input(self) -> Value:
        """The first input, of most operators the activation."""
        return self.inputs[0]

    @property
    def output(self) -> Value:
        """The first output."""
        return self.outputs[0]

    @property
    def label(self) -> str:
        """The operator's name in messages, manifest and layer table."""
        return self.op

    @property
    def macs(self) -> int:
        """Multiply-accumulates, padding counted as data."""
        raise NotImplementedError(f"{type(self).__name__} has no cost.")

    def output_shapes(self) -> tuple[Sizes, ...]:
        """What the shapes of the outputs must be, from inputs and attributes; where the file decides, what it says."""
        raise NotImplementedError(f"{type(self).__name__} has no shapes.")

    def where(self) -> str:
        """The operator as a message names it."""
        return f"operator {self.position} ({self.label}, {self.name})"


class DataMovement(Node):
    """Moves elements, or shares their memory, and computes nothing."""

    @property
    def macs(self) -> int:
        return 0


class SameShape(Node):
    """Computes without multiply-accumulates; the output has the input's shape."""

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (self.input.shape,)


@dataclass(eq=False)
class Reduction(Node):
    """One value of all those along ``axes`` (sorted, not negative), which stay as axes of 1 if ``keep_dims``."""

    axes: tuple[int, ...] = ()
    keep_dims: bool = False

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        sizes = ((axis in self.axes, size) for axis, size in enumerate(self.input.shape))
        return (tuple(1 if gone else size for gone, size in sizes if self.keep_dims or not gone),)


@dataclass(eq=False)
class Fused(Node):
    """Operators that one kernel runs together. ``parts`` are in order; values between them have no memory."""

    op: ClassVar[str] = "FUSED"
    parts: tuple[Node, ...] = ()

    @staticmethod
    def of(*parts: Node) -> Fused:
        """Fuse a chain; inputs and outputs are those that cross its border."""
        results = [value for part in parts for value in part.outputs]
        inputs = [value for part in parts for value in part.inputs if not any(value is result for result in results)]
        last = parts[-1]
        return Fused(last.name, parts[0].position, list(dict.fromkeys(inputs)), list(last.outputs), tuple(parts))

    @property
    def label(self) -> str:
        return "+".join(part.label for part in self.parts)

    @property
    def macs(self) -> int:
        return sum(part.macs for part in self.parts)

    def output_shapes(self) -> tuple[Sizes, ...]:
        return self.parts[-1].output_shapes()


@dataclass(eq=False)
class Program:
    """A network: nodes in the order in which they run. ``sha256`` is of the file that it was read from."""

    name: str
    sha256: str
    nodes: list[Node]
    inputs: list[Value]
    outputs: list[Value]
    notes: list[str] = field(default_factory=list)

    def users(self) -> dict[Value, list[Node]]:
        """Who reads each value."""
        readers: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers.setdefault(value, []).append(node)
        return readers

    def replace(self, changes: Mapping[Node, Node | None]) -> None:
        """Put other nodes in the places of some, or none."""
        nodes = (changes.get(node, node) for node in self.nodes)
        self.nodes = [node for node in nodes if node is not None]

    def makers(self) -> dict[Value, Node]:
        """Who makes each value."""
        return {value: node for node in self.nodes for value in node.outputs}

    def variables(self) -> list[Value]:
        """State variables in the order of their first use."""
        used = (value for node in self.nodes for value in (*node.inputs, *node.outputs))
        return list(dict.fromkeys(value for value in used if value.variable))
