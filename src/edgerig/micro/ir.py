"""The typed intermediate representation: values, and one small class per operator.

A `Program` lists its nodes in the order in which they run. A `Value` is made by one node, or is an input, a constant
(``data``) or a state variable (``variable``, with its initial content in ``data``). Shapes are static and carry the
batch axis of 1; tensors lie as TFLite has them (NHWC) unless kernels agree on another layout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from numpy.typing import NDArray

from edgerig.artifact import ITEM_SIZES, Quantization
from edgerig.errors import CompileError


@dataclass(eq=False)
class Value:
    """A tensor: activation, constant or state variable.

    Attributes:
        dtype: Numpy's name of the element type.
        quantization: Scales and zero points; None for real numbers and indices.
        data: Content of a constant, or what a state variable holds at the start; None for an activation.
        variable: Keeps its content from one inference to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: NDArray[Any] | None = None
    variable: bool = False

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
        """The one scale of a tensor that is quantized as a whole."""
        return self._one().scales[0]

    @property
    def zero_point(self) -> int:
        """The one zero point of a tensor that is quantized as a whole."""
        return self._one().zero_points[0]

    @property
    def array(self) -> NDArray[Any]:
        """Content of a constant."""
        if self.data is None:
            raise CompileError(f"{self.name!r} is no constant.")
        return self.data

    def _one(self) -> Quantization:
        if self.quantization is None or not self.quantization.scales:
            raise CompileError(f"Tensor {self.name!r} ({self.dtype}) has no scale.", "Quantize the whole network.")
        return self.quantization


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
        """Multiply-accumulates, borders counted as data."""
        return 0

    def where(self) -> str:
        """The operator as a message names it."""
        return f"operator {self.position} ({self.label}, {self.name})"


@dataclass(eq=False)
class Weighted(Node):
    """An operator with weights and bias at inputs 1 and 2; ``activation`` by TFLite's name (``NONE``, ``RELU``...)."""

    activation: str = "NONE"

    @property
    def weights(self) -> Value:
        """The weights, a constant."""
        return self.inputs[1]

    @property
    def bias(self) -> Value | None:
        """The bias (channels,), int32 or float32; None where there is none."""
        return self.inputs[2] if len(self.inputs) > 2 else None


@dataclass(eq=False)
class Conv2D(Weighted):
    """Convolution: input (1, H, W, C), weights (O, KH, KW, C / groups), output (1, OH, OW, O)."""

    op: ClassVar[str] = "CONV_2D"
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = Padding()

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width."""
        return self.weights.shape[1], self.weights.shape[2]

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[1:])


@dataclass(eq=False)
class DepthwiseConv2D(Weighted):
    """Depthwise convolution: input (1, H, W, C), weights (1, KH, KW, C * multiplier)."""

    op: ClassVar[str] = "DEPTHWISE_CONV_2D"
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = Padding()
    multiplier: int = 1

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width."""
        return self.weights.shape[1], self.weights.shape[2]

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.kernel)


@dataclass(eq=False)
class TransposeConv(Weighted):
    """Transposed convolution: input (1, H, W, C), weights (O, KH, KW, C), output (1, OH, OW, O).

    ``padding`` is what is cut off the full result at the top and the left.
    """

    op: ClassVar[str] = "TRANSPOSE_CONV"
    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding()

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width."""
        return self.weights.shape[1], self.weights.shape[2]

    @property
    def macs(self) -> int:
        return self.input.elements * math.prod(self.weights.shape[:3])


@dataclass(eq=False)
class FullyConnected(Weighted):
    """Dense layer: input of rows * K elements, weights (O, K), output of rows * O elements."""

    op: ClassVar[str] = "FULLY_CONNECTED"

    @property
    def rows(self) -> int:
        """Vectors that go through the layer in one inference."""
        return self.output.elements // self.weights.shape[0]

    @property
    def macs(self) -> int:
        return self.rows * self.weights.elements


@dataclass(eq=False)
class Pool2D(Node):
    """Pooling over windows of ``window`` (height, width)."""

    window: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding()
    activation: str = "NONE"


class MaxPool2D(Pool2D):
    """Maximum of each window."""

    op: ClassVar[str] = "MAX_POOL_2D"


class AveragePool2D(Pool2D):
    """Mean of each window; what lies in the padding does not count."""

    op: ClassVar[str] = "AVERAGE_POOL_2D"


@dataclass(eq=False)
class Mean(Node):
    """Mean over ``axes`` (sorted, not negative)."""

    op: ClassVar[str] = "MEAN"
    axes: tuple[int, ...] = ()


@dataclass(eq=False)
class Binary(Node):
    """Element by element, shapes broadcast as numpy does."""

    activation: str = "NONE"


class Add(Binary):
    """Sum."""

    op: ClassVar[str] = "ADD"


class Sub(Binary):
    """Difference."""

    op: ClassVar[str] = "SUB"


class Mul(Binary):
    """Product."""

    op: ClassVar[str] = "MUL"


@dataclass(eq=False)
class Relu(Node):
    """A cut at one or both sides: ``activation`` is RELU, RELU6, RELU_N1_TO_1."""

    op: ClassVar[str] = "RELU"
    activation: str = "RELU"

    @property
    def label(self) -> str:
        return self.activation


class Logistic(Node):
    """Sigmoid."""

    op: ClassVar[str] = "LOGISTIC"


class Tanh(Node):
    """Hyperbolic tangent."""

    op: ClassVar[str] = "TANH"


class HardSwish(Node):
    """x * relu6(x + 3) / 6."""

    op: ClassVar[str] = "HARD_SWISH"


@dataclass(eq=False)
class Softmax(Node):
    """Softmax over the last axis of beta * x."""

    op: ClassVar[str] = "SOFTMAX"
    beta: float = 1.0


class Reshape(Node):
    """The same elements under another shape (RESHAPE, SQUEEZE, EXPAND_DIMS); no code where memory is shared."""

    op: ClassVar[str] = "RESHAPE"


@dataclass(eq=False)
class Pad(Node):
    """``before`` and ``after`` elements of ``value`` (in the tensor's own units) along each axis."""

    op: ClassVar[str] = "PAD"
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    value: float = 0


@dataclass(eq=False)
class Concatenation(Node):
    """Inputs one after the other along ``axis`` (not negative)."""

    op: ClassVar[str] = "CONCATENATION"
    axis: int = 0


@dataclass(eq=False)
class Split(Node):
    """Pieces along ``axis`` (not negative), as long as the outputs are (SPLIT, SPLIT_V)."""

    op: ClassVar[str] = "SPLIT"
    axis: int = 0


@dataclass(eq=False)
class Slice(Node):
    """``output[i] = input[begin + i * step]`` per axis of the input; ``size`` steps; axes of 1 may be dropped."""

    op: ClassVar[str] = "STRIDED_SLICE"
    begin: tuple[int, ...] = ()
    step: tuple[int, ...] = ()
    size: tuple[int, ...] = ()


@dataclass(eq=False)
class Transpose(Node):
    """Axes in the order ``permutation``."""

    op: ClassVar[str] = "TRANSPOSE"
    permutation: tuple[int, ...] = ()


class BroadcastTo(Node):
    """The input repeated along axes of 1 until it has the output's shape."""

    op: ClassVar[str] = "BROADCAST_TO"


@dataclass(eq=False)
class Resize(Node):
    """Resizing of the image to the output's height and width."""

    align_corners: bool = False
    half_pixel_centers: bool = False


class ResizeNearest(Resize):
    """By the nearest pixel."""

    op: ClassVar[str] = "RESIZE_NEAREST_NEIGHBOR"


class ResizeBilinear(Resize):
    """By the four pixels around."""

    op: ClassVar[str] = "RESIZE_BILINEAR"


@dataclass(eq=False)
class Lookup(Node):
    """A function of one byte as a table of its 256 results, from the lowest value on; several operators in one."""

    op: ClassVar[str] = "LOOKUP"
    parts: tuple[Node, ...] = ()

    @property
    def label(self) -> str:
        return "+".join(part.label for part in self.parts)


class Push(Node):
    """Shifts the state variable ``inputs[0]`` along its first axis longer than 1 and puts ``inputs[1]`` at the end.

    The output is the variable's new content and lies in its memory.
    """

    op: ClassVar[str] = "PUSH"


class Quantize(Node):
    """Real to quantized, or quantized to quantized with another scale or type."""

    op: ClassVar[str] = "QUANTIZE"


class Dequantize(Node):
    """Quantized to real."""

    op: ClassVar[str] = "DEQUANTIZE"


class ReadVariable(Node):
    """Copies the state variable ``inputs[0]``."""

    op: ClassVar[str] = "READ_VARIABLE"


class AssignVariable(Node):
    """Sets the state variable ``inputs[0]`` to ``inputs[1]``; no outputs."""

    op: ClassVar[str] = "ASSIGN_VARIABLE"


class Shape(Node):
    """The input's shape, int32; known when compiling."""

    op: ClassVar[str] = "SHAPE"


@dataclass(eq=False)
class Pack(Node):
    """Inputs stacked along the new ``axis``; only on what is known when compiling."""

    op: ClassVar[str] = "PACK"
    axis: int = 0


@dataclass(eq=False)
class Fused(Node):
    """Operators that one kernel runs together. ``parts`` are in order; values between them have no memory."""

    op: ClassVar[str] = "FUSED"
    parts: tuple[Node, ...] = ()

    @staticmethod
    def of(*parts: Node) -> Fused:
        """Fuse a chain; inputs and outputs are those that cross its border."""
        made = [value for part in parts for value in part.outputs]
        inputs = [value for part in parts for value in part.inputs if not any(value is one for one in made)]
        last = parts[-1]
        return Fused(last.name, parts[0].position, list(dict.fromkeys(inputs)), list(last.outputs), tuple(parts))

    @property
    def label(self) -> str:
        return "+".join(part.label for part in self.parts)

    @property
    def macs(self) -> int:
        return sum(part.macs for part in self.parts)


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
        found: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in node.inputs:
                readers = found.setdefault(value, [])
                if node not in readers:
                    readers.append(node)
        return found

    def makers(self) -> dict[Value, Node]:
        """Who makes each value."""
        return {value: node for node in self.nodes for value in node.outputs}

    def variables(self) -> list[Value]:
        """State variables in the order of their first use."""
        used = (value for node in self.nodes for value in (*node.inputs, *node.outputs))
        return list(dict.fromkeys(value for value in used if value.variable))
