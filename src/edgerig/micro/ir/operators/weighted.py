"""Convolutions and dense layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import NO_PADDING, Node, Padding, Sizes, Value
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row
from edgerig.micro.ir.operators.windows import window, window_count, windows

#: How far the scale of a bias may be from that of the sums, in scales of the output, as in TensorFlow Lite.
_BIAS_TOLERANCE = 0.02
#: The number of the type int32 in TFLite's schema.
_INT32 = 2


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
    def groups(self) -> int:
        """Parts of the input's channels, each seen by a part of the output's; more than 1 only before the passes."""
        return self.input.shape[3] // self.weights.shape[3]

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[1:])

    def output_shapes(self) -> tuple[Sizes, ...]:
        size = window_count(self.input.shape, self.kernel, self.stride, self.dilation, self.padding)
        return ((self.input.shape[0], *size, self.weights.shape[0]),)


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

    def output_shapes(self) -> tuple[Sizes, ...]:
        size = window_count(self.input.shape, self.kernel, self.stride, self.dilation, self.padding)
        return ((self.input.shape[0], *size, self.weights.shape[3]),)


@dataclass(eq=False)
class TransposeConv(Weighted):
    """Transposed convolution: input (1, H, W, C), weights (O, KH, KW, C), output (1, OH, OW, O).

    ``padding`` is what the full result is cropped by at the top and the left.
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

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ((1, *self.output.shape[1:3], self.weights.shape[0]),)


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

    def output_shapes(self) -> tuple[Sizes, ...]:
        # The file says how the rows are arranged.
        return (self.output.shape,)


def check_weighted(reader: OperatorReader, channels: int, axis: int) -> None:
    """Types and scales of input, weights, bias and output."""
    image, weights, output = reader.input(), reader.weights(), reader.output
    kinds = (image.dtype, weights.dtype, output.dtype)
    supported = [("int8", "int8", "int8"), ("int16", "int8", "int16"), ("float32", "float32", "float32")]
    if kinds not in (supported if not reader.widened else [("int8", "int16", "int8")]):
        reader.refuse(
            f"its input is {kinds[0]}, its weights {kinds[1]}, its output {kinds[2]}; "
            "supported: all three int8, int16 with weights of int8, or all three float32"
        )
    check_scales(reader, weights, channels, axis)
    bias = reader.optional(2)
    if bias is not None:
        wanted = _bias_type(reader, image)
        if not bias.constant or bias.dtype != wanted or bias.elements != channels:
            reader.refuse(f"its bias is {bias.dtype} {list(bias.shape)}; it must be a constant {wanted} [{channels}]")
        check_bias_scale(reader, weights, bias)


def _bias_type(reader: OperatorReader, image: Value) -> str:
    """With 16-bit activations LiteRT takes the bias for what the options say, int64 unless they say int32."""
    if image.dtype == "int16":
        return "int32" if reader.option("quantized_bias_type") == _INT32 else "int64"
    return "int32" if image.dtype == "int8" else "float32"


def check_bias_scale(reader: OperatorReader, weights: Value, bias: Value) -> None:
    """See that the bias is in the units of the sums that it is added to, as far as LiteRT wants it."""
    values = (reader.input(), weights, bias, reader.output)
    if any(value.quantization is None or value.per_channel for value in values):
        return
    source, scale, own, target = (value.scale for value in values)
    if abs(source * scale - own) > _BIAS_TOLERANCE * target:
        reader.refuse(f"the scale of its bias is {own:g} where input and weights make {source * scale:g}")


def check_scales(reader: OperatorReader, weights: Value, channels: int, axis: int) -> None:
    for value in (reader.input(), reader.output):
        if value.dtype in ("int8", "int16") and (value.quantization is None or len(value.quantization.scales) != 1):
            reader.refuse(f"{value.name} has no scale, or several")
    if weights.dtype != "int8":
        return
    quantization = weights.quantization
    if quantization is None:
        reader.refuse("its weights have no scale")
    if len(quantization.scales) not in (1, channels):
        reader.wrong(f"has {len(quantization.scales)} scales of weights for {channels} channels")
    if len(quantization.scales) > 1 and quantization.axis != axis:
        reader.wrong(f"has its scales of weights along axis {quantization.axis}, not {axis}")


def conv(reader: OperatorReader) -> Node:
    """Reads CONV_2D."""
    image, weights = reader.image(batched=True), reader.rank(reader.weights(), 4)
    channels, height, width, depth = weights.shape
    groups = image.shape[3] // max(depth, 1)
    if groups * depth != image.shape[3] or channels % groups:
        reader.wrong(f"has weights {list(weights.shape)} for an input {list(image.shape)}")
    dilation = reader.pair("dilation_h_factor", "dilation_w_factor")
    padding, stride = windows(reader, image, (height, width), dilation)
    check_weighted(reader, channels, 0)
    return Conv2D(*reader.parts(), reader.activation(), stride, dilation, padding)


def depthwise(reader: OperatorReader) -> Node:
    """Reads DEPTHWISE_CONV_2D."""
    image, weights = reader.image(batched=True), reader.rank(reader.weights(), 4)
    _, height, width, channels = weights.shape
    if weights.shape[0] != 1 or channels % image.shape[3]:
        reader.wrong(f"has weights {list(weights.shape)} for an input {list(image.shape)}")
    dilation = reader.pair("dilation_h_factor", "dilation_w_factor")
    padding, stride = windows(reader, image, (height, width), dilation)
    check_weighted(reader, channels, 3)
    return DepthwiseConv2D(*reader.parts(), reader.activation(), stride, dilation, padding, channels // image.shape[3])


def transpose_conv(reader: OperatorReader) -> Node:
    """Reads TRANSPOSE_CONV."""
    image, weights = reader.image(2), reader.rank(reader.weights(), 4)
    channels, height, width, depth = weights.shape
    stride = reader.pair("stride_h", "stride_w")
    out = reader.constant(0)
    if depth != image.shape[3] or len(out) != 4 or out[0] != 1 or out[3] != channels:
        reader.wrong(f"has weights {list(weights.shape)} and an output {out} for an input {list(image.shape)}")
    kind = str(reader.option("padding", "SAME"))
    reader.makes(tuple(out))
    pads = []
    for size, kernel, step, given in zip(out[1:3], (height, width), stride, image.shape[1:3], strict=True):
        expected, before, after = window(reader, size, kernel, step, 1, kind)
        if expected != given:
            reader.wrong(f"cannot make {size} out of {given}")
        pads.append((before, after))
    inputs = [image, weights, *([bias] if (bias := reader.optional(3)) is not None else [])]
    checked = OperatorReader(reader.op, reader.name, reader.position, list(inputs), reader.outputs, reader.options)
    check_weighted(checked, channels, 0)
    (top, bottom), (left, right) = pads
    return TransposeConv(*checked.parts(), checked.activation(), stride, Padding(top, left, bottom, right))


def dense(reader: OperatorReader) -> Node:
    """Reads FULLY_CONNECTED."""
    value, weights = reader.input(), reader.rank(reader.weights(), 2)
    units, depth = weights.shape
    if str(reader.option("weights_format", 0)) not in ("0", "DEFAULT"):
        reader.refuse("its weights are shuffled")
    if depth == 0 or value.elements % depth or reader.output.elements != value.elements // depth * units:
        reader.wrong(f"multiplies {list(value.shape)} by {list(weights.shape)} into {list(reader.output.shape)}")
    check_weighted(reader, units, 0)
    return FullyConnected(*reader.parts(), reader.activation())


_WEIGHTED = Row(remarks="weights constant; scales per channel or per tensor; any stride, dilation, padding, groups")

RECORDS = (
    OperatorRecord("CONV_2D", Conv2D, conv, _WEIGHTED, "Conv2DOptions", version=3, per_channel=(1, 2)),
    OperatorRecord(
        "DEPTHWISE_CONV_2D",
        DepthwiseConv2D,
        depthwise,
        _WEIGHTED,
        "DepthwiseConv2DOptions",
        version=3,
        per_channel=(1, 2),
    ),
    OperatorRecord(
        "FULLY_CONNECTED", FullyConnected, dense, _WEIGHTED, "FullyConnectedOptions", version=4, per_channel=(1, 2)
    ),
    OperatorRecord(
        "TRANSPOSE_CONV",
        TransposeConv,
        transpose_conv,
        _WEIGHTED,
        "TransposeConvOptions",
        version=3,
        per_channel=(1, 3),
    ),
)
