"""One small class per operator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgerig.micro.ir.core import NO_PADDING, Node, Padding, Value


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
    padding: Padding = NO_PADDING

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
    padding: Padding = NO_PADDING
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
    padding: Padding = NO_PADDING

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
class BatchMatMul(Node):
    """Products of matrices (..., M, K) and (..., K, N); ``transposed`` says which side lies the other way round."""

    op: ClassVar[str] = "BATCH_MATMUL"
    transposed: tuple[bool, bool] = (False, False)

    @property
    def depth(self) -> int:
        """K."""
        return self.input.shape[-2 if self.transposed[0] else -1]

    @property
    def macs(self) -> int:
        return self.output.elements * self.depth


@dataclass(eq=False)
class Pool2D(Node):
    """Pooling over windows of ``window`` (height, width)."""

    window: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = NO_PADDING
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
    """Element by element, shapes broadcast as numpy does; ``on_constants`` computes it where both sides are known."""

    on_constants: ClassVar[np.ufunc]
    activation: str = "NONE"


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


class ShiftState(Node):
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
