"""Convolutions and dense layers: sizes, borders and scales worked out and checked."""

from __future__ import annotations

from edgerig.micro import ir
from edgerig.micro.frontend.operators.reader import Record
from edgerig.micro.ir import Node, Padding, Value

#: How far the scale of a bias may be from that of the sums, in scales of the output, as in TensorFlow Lite.
_BIAS_TOLERANCE = 0.02


def window(record: Record, size: int, kernel: int, stride: int, dilation: int, kind: str) -> tuple[int, int, int]:
    """Output size and padding before and after along one axis."""
    reach = (kernel - 1) * dilation + 1
    if kind == "SAME":
        out = -(-size // stride)
        total = max((out - 1) * stride + reach - size, 0)
        return out, total // 2, total - total // 2
    if kind != "VALID":
        record.refuse(f"its padding {kind} is not supported")
    out = -(-(size - reach + 1) // stride)
    if out < 1:
        record.wrong(f"has a window of {reach} on {size}")
    return out, 0, 0


def windows(
    record: Record, image: Value, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[tuple[int, int], Padding, tuple[int, int]]:
    """Output height and width, padding, stride."""
    stride = record.pair("stride_h", "stride_w")
    kind = str(record.option("padding", "SAME"))
    height, top, bottom = window(record, image.shape[1], kernel[0], stride[0], dilation[0], kind)
    width, left, right = window(record, image.shape[2], kernel[1], stride[1], dilation[1], kind)
    return (height, width), Padding(top, left, bottom, right), stride


def check_weighted(record: Record, channels: int, axis: int) -> None:
    """Types and scales of input, weights, bias and output."""
    image, weights, output = record.input(), record.weights(), record.output
    kinds = (image.dtype, weights.dtype, output.dtype)
    if kinds not in (("int8", "int8", "int8"), ("float32", "float32", "float32")):
        record.refuse(
            f"its input is {kinds[0]}, its weights {kinds[1]}, its output {kinds[2]}; "
            "supported: all three int8, or all three float32"
        )
    check_scales(record, weights, channels, axis)
    bias = record.optional(2)
    if bias is not None:
        wanted = "int32" if image.dtype == "int8" else "float32"
        if not bias.constant or bias.dtype != wanted or bias.elements != channels:
            record.refuse(f"its bias is {bias.dtype} {list(bias.shape)}; it must be a constant {wanted} [{channels}]")
        check_bias_scale(record, weights, bias)


def check_bias_scale(record: Record, weights: Value, bias: Value) -> None:
    """See that the bias is in the units of the sums that it is added to, as far as LiteRT wants it."""
    values = (record.input(), weights, bias, record.output)
    if any(value.quantization is None or value.per_channel for value in values):
        return
    source, scale, own, target = (value.scale for value in values)
    if abs(source * scale - own) > _BIAS_TOLERANCE * target:
        record.refuse(f"the scale of its bias is {own:g} where input and weights make {source * scale:g}")


def check_scales(record: Record, weights: Value, channels: int, axis: int) -> None:
    for value in (record.input(), record.output):
        if value.dtype == "int8" and (value.quantization is None or len(value.quantization.scales) != 1):
            record.refuse(f"{value.name} has no scale, or several")
    if weights.dtype != "int8":
        return
    found = weights.quantization
    if found is None:
        record.refuse("its weights have no scale")
    if len(found.scales) not in (1, channels):
        record.wrong(f"has {len(found.scales)} scales of weights for {channels} channels")
    if len(found.scales) > 1 and found.axis != axis:
        record.wrong(f"has its scales of weights along axis {found.axis}, not {axis}")


def conv(record: Record) -> Node:
    image, weights = record.image(), record.rank(record.weights(), 4)
    channels, height, width, depth = weights.shape
    if depth != image.shape[3]:
        record.refuse(f"its weights are for {depth} channels and its input has {image.shape[3]} (groups)")
    dilation = record.pair("dilation_h_factor", "dilation_w_factor")
    size, padding, stride = windows(record, image, (height, width), dilation)
    record.makes((1, *size, channels))
    check_weighted(record, channels, 0)
    return ir.Conv2D(*record.parts(), record.activation(), stride, dilation, padding)


def depthwise(record: Record) -> Node:
    image, weights = record.image(), record.rank(record.weights(), 4)
    _, height, width, channels = weights.shape
    if weights.shape[0] != 1 or channels % image.shape[3]:
        record.wrong(f"has weights {list(weights.shape)} for an input {list(image.shape)}")
    dilation = record.pair("dilation_h_factor", "dilation_w_factor")
    size, padding, stride = windows(record, image, (height, width), dilation)
    record.makes((1, *size, channels))
    check_weighted(record, channels, 3)
    return ir.DepthwiseConv2D(
        *record.parts(), record.activation(), stride, dilation, padding, channels // image.shape[3]
    )


def transpose_conv(record: Record) -> Node:
    image, weights = record.image(2), record.rank(record.weights(), 4)
    channels, height, width, depth = weights.shape
    stride = record.pair("stride_h", "stride_w")
    out = record.constant(0)
    if depth != image.shape[3] or len(out) != 4 or out[0] != 1 or out[3] != channels:
        record.wrong(f"has weights {list(weights.shape)} and an output {out} for an input {list(image.shape)}")
    kind = str(record.option("padding", "SAME"))
    record.makes(tuple(out))
    borders = []
    for size, kernel, step, given in zip(out[1:3], (height, width), stride, image.shape[1:3], strict=True):
        expected, before, after = window(record, size, kernel, step, 1, kind)
        if expected != given:
            record.wrong(f"cannot make {size} out of {given}")
        borders.append((before, after))
    inputs = [image, weights, *([bias] if (bias := record.optional(3)) is not None else [])]
    checked = Record(record.op, record.name, record.position, list(inputs), record.outputs, record.options)
    check_weighted(checked, channels, 0)
    (top, bottom), (left, right) = borders
    return ir.TransposeConv(*checked.parts(), checked.activation(), stride, Padding(top, left, bottom, right))


def dense(record: Record) -> Node:
    value, weights = record.input(), record.rank(record.weights(), 2)
    units, depth = weights.shape
    if str(record.option("weights_format", 0)) not in ("0", "DEFAULT"):
        record.refuse("its weights are shuffled")
    if depth == 0 or value.elements % depth or record.output.elements != value.elements // depth * units:
        record.wrong(f"multiplies {list(value.shape)} by {list(weights.shape)} into {list(record.output.shape)}")
    check_weighted(record, units, 0)
    return ir.FullyConnected(*record.parts(), record.activation())
