"""Convolutions and dense layers: sizes, borders and scales worked out and checked."""

from __future__ import annotations

from edgerig.micro import ir
from edgerig.micro.ir import Node, Padding, Value
from edgerig.micro.ir.operators.reader import OperatorReader

#: How far the scale of a bias may be from that of the sums, in scales of the output, as in TensorFlow Lite.
_BIAS_TOLERANCE = 0.02


def window(
    reader: OperatorReader, size: int, kernel: int, stride: int, dilation: int, kind: str
) -> tuple[int, int, int]:
    """Output size and padding before and after along one axis."""
    reach = (kernel - 1) * dilation + 1
    if kind == "SAME":
        out = -(-size // stride)
        total = max((out - 1) * stride + reach - size, 0)
        return out, total // 2, total - total // 2
    if kind != "VALID":
        reader.refuse(f"its padding {kind} is not supported")
    out = -(-(size - reach + 1) // stride)
    if out < 1:
        reader.wrong(f"has a window of {reach} on {size}")
    return out, 0, 0


def windows(
    reader: OperatorReader, image: Value, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[tuple[int, int], Padding, tuple[int, int]]:
    """Output height and width, padding, stride."""
    stride = reader.pair("stride_h", "stride_w")
    kind = str(reader.option("padding", "SAME"))
    height, top, bottom = window(reader, image.shape[1], kernel[0], stride[0], dilation[0], kind)
    width, left, right = window(reader, image.shape[2], kernel[1], stride[1], dilation[1], kind)
    return (height, width), Padding(top, left, bottom, right), stride


def check_weighted(reader: OperatorReader, channels: int, axis: int) -> None:
    """Types and scales of input, weights, bias and output."""
    image, weights, output = reader.input(), reader.weights(), reader.output
    kinds = (image.dtype, weights.dtype, output.dtype)
    if kinds not in (("int8", "int8", "int8"), ("float32", "float32", "float32")):
        reader.refuse(
            f"its input is {kinds[0]}, its weights {kinds[1]}, its output {kinds[2]}; "
            "supported: all three int8, or all three float32"
        )
    check_scales(reader, weights, channels, axis)
    bias = reader.optional(2)
    if bias is not None:
        wanted = "int32" if image.dtype == "int8" else "float32"
        if not bias.constant or bias.dtype != wanted or bias.elements != channels:
            reader.refuse(f"its bias is {bias.dtype} {list(bias.shape)}; it must be a constant {wanted} [{channels}]")
        check_bias_scale(reader, weights, bias)


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
        if value.dtype == "int8" and (value.quantization is None or len(value.quantization.scales) != 1):
            reader.refuse(f"{value.name} has no scale, or several")
    if weights.dtype != "int8":
        return
    found = weights.quantization
    if found is None:
        reader.refuse("its weights have no scale")
    if len(found.scales) not in (1, channels):
        reader.wrong(f"has {len(found.scales)} scales of weights for {channels} channels")
    if len(found.scales) > 1 and found.axis != axis:
        reader.wrong(f"has its scales of weights along axis {found.axis}, not {axis}")


def conv(reader: OperatorReader) -> Node:
    image, weights = reader.image(), reader.rank(reader.weights(), 4)
    channels, height, width, depth = weights.shape
    if depth != image.shape[3]:
        reader.refuse(f"its weights are for {depth} channels and its input has {image.shape[3]} (groups)")
    dilation = reader.pair("dilation_h_factor", "dilation_w_factor")
    size, padding, stride = windows(reader, image, (height, width), dilation)
    reader.makes((1, *size, channels))
    check_weighted(reader, channels, 0)
    return ir.Conv2D(*reader.parts(), reader.activation(), stride, dilation, padding)


def depthwise(reader: OperatorReader) -> Node:
    image, weights = reader.image(), reader.rank(reader.weights(), 4)
    _, height, width, channels = weights.shape
    if weights.shape[0] != 1 or channels % image.shape[3]:
        reader.wrong(f"has weights {list(weights.shape)} for an input {list(image.shape)}")
    dilation = reader.pair("dilation_h_factor", "dilation_w_factor")
    size, padding, stride = windows(reader, image, (height, width), dilation)
    reader.makes((1, *size, channels))
    check_weighted(reader, channels, 3)
    return ir.DepthwiseConv2D(
        *reader.parts(), reader.activation(), stride, dilation, padding, channels // image.shape[3]
    )


def transpose_conv(reader: OperatorReader) -> Node:
    image, weights = reader.image(2), reader.rank(reader.weights(), 4)
    channels, height, width, depth = weights.shape
    stride = reader.pair("stride_h", "stride_w")
    out = reader.constant(0)
    if depth != image.shape[3] or len(out) != 4 or out[0] != 1 or out[3] != channels:
        reader.wrong(f"has weights {list(weights.shape)} and an output {out} for an input {list(image.shape)}")
    kind = str(reader.option("padding", "SAME"))
    reader.makes(tuple(out))
    borders = []
    for size, kernel, step, given in zip(out[1:3], (height, width), stride, image.shape[1:3], strict=True):
        expected, before, after = window(reader, size, kernel, step, 1, kind)
        if expected != given:
            reader.wrong(f"cannot make {size} out of {given}")
        borders.append((before, after))
    inputs = [image, weights, *([bias] if (bias := reader.optional(3)) is not None else [])]
    checked = OperatorReader(reader.op, reader.name, reader.position, list(inputs), reader.outputs, reader.options)
    check_weighted(checked, channels, 0)
    (top, bottom), (left, right) = borders
    return ir.TransposeConv(*checked.parts(), checked.activation(), stride, Padding(top, left, bottom, right))


def dense(reader: OperatorReader) -> Node:
    value, weights = reader.input(), reader.rank(reader.weights(), 2)
    units, depth = weights.shape
    if str(reader.option("weights_format", 0)) not in ("0", "DEFAULT"):
        reader.refuse("its weights are shuffled")
    if depth == 0 or value.elements % depth or reader.output.elements != value.elements // depth * units:
        reader.wrong(f"multiplies {list(value.shape)} by {list(weights.shape)} into {list(reader.output.shape)}")
    check_weighted(reader, units, 0)
    return ir.FullyConnected(*reader.parts(), reader.activation())
