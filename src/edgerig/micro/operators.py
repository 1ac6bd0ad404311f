"""From an operator of a TFLite file to its node: options and shapes checked, sizes and borders worked out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from edgerig.errors import CompileError, ModelError
from edgerig.micro import ir
from edgerig.micro.ir import Node, Padding, Value
from edgerig.models.graph.types import Operator


@dataclass
class Source:
    """An operator of the file with its values; ``inputs`` are None where left out."""

    op: str
    name: str
    position: int
    inputs: list[Value | None]
    outputs: list[Value]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"operator {self.position} ({self.op}, {self.name})"

    def input(self, place: int = 0) -> Value:
        """An input that must be there."""
        value = self.optional(place)
        if value is None:
            raise ModelError(f"The file is corrupt: {self.where} has no input {place}.")
        return value

    def optional(self, place: int) -> Value | None:
        return self.inputs[place] if place < len(self.inputs) else None

    @property
    def output(self) -> Value:
        if len(self.outputs) != 1:
            raise ModelError(f"The file is corrupt: {self.where} has {len(self.outputs)} outputs.")
        return self.outputs[0]

    def constant(self, place: int) -> list[int]:
        """Whole numbers that must be known when compiling, flat."""
        value = self.input(place)
        if not value.constant or value.dtype not in ("int32", "int64"):
            self.refuse(f"its input {place} ({value.name}) is not known when compiling")
        return [int(number) for number in value.array.reshape(-1)]

    def weights(self, place: int = 1) -> Value:
        """Weights: constant, and symmetric where quantized."""
        value = self.input(place)
        if not value.constant:
            self.refuse("its weights are not constant")
        if value.quantization is not None and any(value.quantization.zero_points) and value.dtype != "uint8":
            self.refuse("its weights have a zero point other than 0")
        return value

    def option(self, key: str, default: Any = 0) -> Any:
        found = self.options.get(key)
        return default if found is None else found

    def activation(self) -> str:
        name = str(self.option("fused_activation_function", "NONE"))
        if name not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            self.refuse(f"its fused activation {name} is not supported")
        return name

    def rank(self, value: Value, rank: int) -> Value:
        if len(value.shape) != rank:
            self.refuse(f"{value.name} has the shape {list(value.shape)} and should have {rank} axes")
        return value

    def image(self, place: int = 0) -> Value:
        """An activation (1, H, W, C)."""
        value = self.rank(self.input(place), 4)
        if value.shape[0] != 1:
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


Builder = Callable[[Source], Node]


def build(source: Source) -> Node:
    """The node of an operator.

    Raises:
        ModelError: Its shapes or options contradict each other.
        CompileError: It uses an option that is not supported.
    """
    return _BUILDERS[source.op](source)


def unsupported(operator: Operator) -> str | None:
    """What is missing for an operator, with its position, or None."""
    if operator.op in _BUILDERS or operator.op in FREE:
        return None
    name = operator.options.get("custom_code") or operator.op
    return f"operator {operator.index} ({name}, {operator.name}) is not supported"


def _window(source: Source, size: int, kernel: int, stride: int, dilation: int, kind: str) -> tuple[int, int, int]:
    """Output size and padding before and after along one axis."""
    reach = (kernel - 1) * dilation + 1
    if kind == "SAME":
        out = -(-size // stride)
        total = max((out - 1) * stride + reach - size, 0)
        return out, total // 2, total - total // 2
    if kind != "VALID":
        source.refuse(f"its padding {kind} is not supported")
    out = -(-(size - reach + 1) // stride)
    if out < 1:
        source.wrong(f"has a window of {reach} on {size}")
    return out, 0, 0


def _windows(
    source: Source, image: Value, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[tuple[int, int], Padding, tuple[int, int]]:
    """Output height and width, padding, stride."""
    stride = source.pair("stride_h", "stride_w")
    kind = str(source.option("padding", "SAME"))
    height, top, bottom = _window(source, image.shape[1], kernel[0], stride[0], dilation[0], kind)
    width, left, right = _window(source, image.shape[2], kernel[1], stride[1], dilation[1], kind)
    return (height, width), Padding(top, left, bottom, right), stride


def _check_weighted(source: Source, channels: int, axis: int) -> None:
    """Types and scales of input, weights, bias and output."""
    image, weights, output = source.input(), source.weights(), source.output
    kinds = (image.dtype, weights.dtype, output.dtype)
    if kinds not in (("int8", "int8", "int8"), ("float32", "float32", "float32")):
        source.refuse(
            f"its input is {kinds[0]}, its weights {kinds[1]}, its output {kinds[2]}; "
            "supported: all three int8, or all three float32"
        )
    _check_scales(source, weights, channels, axis)
    bias = source.optional(2)
    if bias is not None:
        wanted = "int32" if image.dtype == "int8" else "float32"
        if not bias.constant or bias.dtype != wanted or bias.elements != channels:
            source.refuse(f"its bias is {bias.dtype} {list(bias.shape)}; it must be a constant {wanted} [{channels}]")


def _check_scales(source: Source, weights: Value, channels: int, axis: int) -> None:
    for value in (source.input(), source.output):
        if value.dtype == "int8" and (value.quantization is None or len(value.quantization.scales) != 1):
            source.refuse(f"{value.name} has no scale, or several")
    if weights.dtype != "int8":
        return
    found = weights.quantization
    if found is None:
        source.refuse("its weights have no scale")
    if len(found.scales) not in (1, channels):
        source.wrong(f"has {len(found.scales)} scales of weights for {channels} channels")
    if len(found.scales) > 1 and found.axis != axis:
        source.wrong(f"has its scales of weights along axis {found.axis}, not {axis}")


def _conv(source: Source) -> Node:
    image, weights = source.image(), source.rank(source.weights(), 4)
    channels, height, width, depth = weights.shape
    if depth != image.shape[3]:
        source.refuse(f"its weights are for {depth} channels and its input has {image.shape[3]} (groups)")
    dilation = source.pair("dilation_h_factor", "dilation_w_factor")
    size, padding, stride = _windows(source, image, (height, width), dilation)
    source.makes((1, *size, channels))
    _check_weighted(source, channels, 0)
    return ir.Conv2D(*source.parts(), source.activation(), stride, dilation, padding)


def _depthwise(source: Source) -> Node:
    image, weights = source.image(), source.rank(source.weights(), 4)
    _, height, width, channels = weights.shape
    if weights.shape[0] != 1 or channels % image.shape[3]:
        source.wrong(f"has weights {list(weights.shape)} for an input {list(image.shape)}")
    dilation = source.pair("dilation_h_factor", "dilation_w_factor")
    size, padding, stride = _windows(source, image, (height, width), dilation)
    source.makes((1, *size, channels))
    _check_weighted(source, channels, 3)
    return ir.DepthwiseConv2D(
        *source.parts(), source.activation(), stride, dilation, padding, channels // image.shape[3]
    )


def _transpose_conv(source: Source) -> Node:
    image, weights = source.image(2), source.rank(source.weights(), 4)
    channels, height, width, depth = weights.shape
    stride = source.pair("stride_h", "stride_w")
    out = source.constant(0)
    if depth != image.shape[3] or len(out) != 4 or out[0] != 1 or out[3] != channels:
        source.wrong(f"has weights {list(weights.shape)} and an output {out} for an input {list(image.shape)}")
    kind = str(source.option("padding", "SAME"))
    source.makes(tuple(out))
    borders = []
    for size, kernel, step, given in zip(out[1:3], (height, width), stride, image.shape[1:3], strict=True):
        expected, before, after = _window(source, size, kernel, step, 1, kind)
        if expected != given:
            source.wrong(f"cannot make {size} out of {given}")
        borders.append((before, after))
    inputs = [image, weights, *([bias] if (bias := source.optional(3)) is not None else [])]
    checked = Source(source.op, source.name, source.position, list(inputs), source.outputs, source.options)
    _check_weighted(checked, channels, 0)
    (top, bottom), (left, right) = borders
    return ir.TransposeConv(*checked.parts(), checked.activation(), stride, Padding(top, left, bottom, right))


def _dense(source: Source) -> Node:
    value, weights = source.input(), source.rank(source.weights(), 2)
    units, depth = weights.shape
    if str(source.option("weights_format", 0)) not in ("0", "DEFAULT"):
        source.refuse("its weights are shuffled")
    if depth == 0 or value.elements % depth or source.output.elements != value.elements // depth * units:
        source.wrong(f"multiplies {list(value.shape)} by {list(weights.shape)} into {list(source.output.shape)}")
    _check_weighted(source, units, 0)
    return ir.FullyConnected(*source.parts(), source.activation())


def _pool(kind: type[ir.Pool2D]) -> Builder:
    def made(source: Source) -> Node:
        image = source.image()
        window = source.pair("filter_height", "filter_width")
        size, padding, stride = _windows(source, image, window)
        source.makes((1, *size, image.shape[3]))
        _same(source, image, source.output)
        return kind(*source.parts(), window, stride, padding, source.activation())

    return made


def _same(source: Source, *values: Value) -> None:
    """One type, and for integers one scale and zero point."""
    first = values[0]
    for value in values:
        if value.dtype != first.dtype:
            source.refuse(f"it mixes {first.dtype} and {value.dtype}")
        if value.dtype in ("int8", "uint8", "int16") and value.quantization != first.quantization:
            source.refuse(f"{first.name} and {value.name} have different scales or zero points")


def _mean(source: Source) -> Node:
    value = source.input()
    rank = len(value.shape)
    axes = tuple(sorted({source.axis(axis, rank) for axis in source.constant(1)}))
    keep = bool(source.option("keep_dims", False))
    shape = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
    source.makes(tuple(size for axis, size in enumerate(shape) if keep or axis not in axes))
    return ir.Mean(source.name, source.position, [value], source.outputs, axes)


def _binary(kind: type[ir.Binary]) -> Builder:
    def made(source: Source) -> Node:
        first, second = source.input(0), source.input(1)
        try:
            shape = np.broadcast_shapes(first.shape, second.shape)
        except ValueError:
            source.wrong(f"combines {list(first.shape)} and {list(second.shape)}")
        source.makes(shape)
        if not first.dtype == second.dtype == source.output.dtype:
            source.refuse(f"it mixes {first.dtype}, {second.dtype} and {source.output.dtype}")
        return kind(*source.parts(), source.activation())

    return made


def _unary(kind: type[Node], **more: Any) -> Builder:
    def made(source: Source) -> Node:
        source.makes(source.input().shape)
        return kind(source.name, source.position, [source.input()], [source.output], **more)

    return made


def _convert(kind: type[Node]) -> Builder:
    return _unary(kind)


def _softmax(source: Source) -> Node:
    source.makes(source.input().shape)
    if not source.input().shape:
        source.wrong("has no axis")
    return ir.Softmax(*source.parts(), float(source.option("beta", 1.0)))


def _reshape(source: Source) -> Node:
    value, output = source.input(), source.output
    if value.elements != output.elements:
        source.wrong(f"makes {list(output.shape)} out of {list(value.shape)}")
    _same(source, value, output)
    return ir.Reshape(source.name, source.position, [value], [output])


def _pad(source: Source) -> Node:
    value = source.input()
    pads = np.array(source.constant(1), np.int64)
    if pads.size != 2 * len(value.shape) or (pads < 0).any():
        source.wrong(f"pads {list(value.shape)} by {pads.tolist()}")
    before, after = pads.reshape(-1, 2).T.tolist()
    source.makes(tuple(int(a + size + b) for a, size, b in zip(before, value.shape, after, strict=True)))
    _same(source, value, source.output)
    filler: float = 0 if value.quantization is None else value.zero_point
    if source.op == "PADV2":
        content = source.input(2)
        if not content.constant or content.elements != 1:
            source.refuse("what it pads with is not known when compiling")
        _same(source, value, content)
        filler = content.array.reshape(-1)[0].item()
    return ir.Pad(source.name, source.position, [value], [source.output], tuple(before), tuple(after), filler)


def _concatenation(source: Source) -> Node:
    values = [source.input(place) for place in range(len(source.inputs))]
    if not values:
        source.wrong("has no inputs")
    axis = source.axis(int(source.option("axis", 0)), len(values[0].shape))
    others = {(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values}
    if len(others) != 1 or any(len(value.shape) != len(values[0].shape) for value in values):
        source.wrong(f"joins {[list(value.shape) for value in values]} along axis {axis}")
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    source.makes(tuple(shape))
    _same(source, source.output, *values)
    if source.activation() != "NONE":
        source.refuse("it has a fused activation")
    return ir.Concatenation(*source.parts(), axis)


def _split(source: Source) -> Node:
    place = 1 if source.op == "SPLIT" else 0
    value = source.input(place)
    rank = len(value.shape)
    axis = source.axis(source.constant(0 if source.op == "SPLIT" else 2)[0], rank)
    sizes = [output.shape[axis] if len(output.shape) == rank else -1 for output in source.outputs]
    if not source.outputs or sum(sizes) != value.shape[axis]:
        source.wrong(f"splits {list(value.shape)} along axis {axis} into {sizes}")
    if source.op == "SPLIT_V":
        wanted = source.constant(1)
        rest = value.shape[axis] - sum(size for size in wanted if size >= 0)
        if [rest if size < 0 else size for size in wanted] != sizes:
            source.wrong(f"splits {value.shape[axis]} into {wanted}, and the file says {sizes}")
    elif len(set(sizes)) != 1:
        source.wrong(f"splits into unequal parts {sizes}")
    for output, size in zip(source.outputs, sizes, strict=True):
        source.makes((*value.shape[:axis], size, *value.shape[axis + 1 :]), output)
    _same(source, value, *source.outputs)
    return ir.Split(source.name, source.position, [value], source.outputs, axis)


def _slice(source: Source) -> Node:
    value = source.input()
    begin, size = source.constant(1), source.constant(2)
    if not len(begin) == len(size) == len(value.shape):
        source.wrong(f"slices {list(value.shape)} at {begin} by {size}")
    sizes = tuple(
        full - start if count == -1 else count for full, start, count in zip(value.shape, begin, size, strict=True)
    )
    if any(
        start < 0 or count < 1 or start + count > full
        for full, start, count in zip(value.shape, begin, sizes, strict=True)
    ):
        source.wrong(f"slices {list(value.shape)} at {begin} by {size}")
    source.makes(sizes)
    _same(source, value, source.output)
    return ir.Slice(source.name, source.position, [value], [source.output], tuple(begin), (1,) * len(begin), sizes)


def _strided_slice(source: Source) -> Node:
    value = source.input()
    begin, end, step = (source.constant(place) for place in (1, 2, 3))
    if not len(begin) == len(end) == len(step) <= len(value.shape):
        source.wrong(f"slices {list(value.shape)} from {begin} to {end} by {step}")
    if source.option("ellipsis_mask") or source.option("new_axis_mask") or source.option("offset"):
        source.refuse("it uses an ellipsis, a new axis or an offset")
    masks = {key: int(source.option(f"{key}_mask", 0)) for key in ("begin", "end", "shrink_axis")}
    begins, steps, sizes, shape = [], [], [], []
    for axis, full in enumerate(value.shape):
        start, stop, by = (begin[axis], end[axis], step[axis]) if axis < len(begin) else (0, full, 1)
        if by == 0:
            source.wrong("has a step of 0")
        bit = 1 << axis
        if masks["shrink_axis"] & bit:
            start = start + full if start < 0 else start
            if not 0 <= start < full:
                source.wrong(f"takes element {start} of {full}")
            chosen = range(start, start + 1)
        else:
            ignore_begin, ignore_end = masks["begin"] & bit, masks["end"] & bit
            chosen = range(full)[slice(None if ignore_begin else start, None if ignore_end else stop, by)]
            shape.append(len(chosen))
        if not len(chosen):
            source.wrong("takes nothing")
        begins.append(chosen.start)
        steps.append(chosen.step)
        sizes.append(len(chosen))
    source.makes(tuple(shape))
    _same(source, value, source.output)
    return ir.Slice(source.name, source.position, [value], [source.output], tuple(begins), tuple(steps), tuple(sizes))


def _transpose(source: Source) -> Node:
    value = source.input()
    order = source.constant(1)
    if sorted(order) != list(range(len(value.shape))):
        source.wrong(f"orders {list(value.shape)} by {order}")
    source.makes(tuple(value.shape[axis] for axis in order))
    _same(source, value, source.output)
    return ir.Transpose(source.name, source.position, [value], [source.output], tuple(order))


def _broadcast_to(source: Source) -> Node:
    value = source.input()
    shape = tuple(source.constant(1))
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        source.wrong(f"repeats {list(value.shape)} to {list(shape)}")
    source.makes(shape)
    _same(source, value, source.output)
    return ir.BroadcastTo(source.name, source.position, [value], [source.output])


def _resize(kind: type[ir.Resize]) -> Builder:
    def made(source: Source) -> Node:
        image = source.image()
        size = source.constant(1)
        if len(size) != 2 or min(size) < 1:
            source.wrong(f"resizes to {size}")
        source.makes((1, *size, image.shape[3]))
        _same(source, image, source.output)
        corners, centers = bool(source.option("align_corners")), bool(source.option("half_pixel_centers"))
        return kind(source.name, source.position, [image], [source.output], corners, centers)

    return made


def _read_variable(source: Source) -> Node:
    return ir.ReadVariable(*source.parts())


def _assign_variable(source: Source) -> Node:
    _same(source, source.input(0), source.input(1))
    if source.input(0).shape != source.input(1).shape:
        source.wrong(f"sets {list(source.input(0).shape)} to {list(source.input(1).shape)}")
    return ir.AssignVariable(*source.parts())


def _shape(source: Source) -> Node:
    source.makes((len(source.input().shape),))
    return ir.Shape(*source.parts())


def _pack(source: Source) -> Node:
    values = [source.input(place) for place in range(len(source.inputs))]
    if not all(value.constant and value.shape == values[0].shape for value in values):
        source.refuse("it packs what is not known when compiling")
    axis = source.axis(int(source.option("axis", 0)), len(values[0].shape) + 1)
    source.makes((*values[0].shape[:axis], len(values), *values[0].shape[axis:]))
    return ir.Pack(*source.parts(), axis)


_BUILDERS: dict[str, Builder] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _pool(ir.MaxPool2D),
    "AVERAGE_POOL_2D": _pool(ir.AveragePool2D),
    "MEAN": _mean,
    "ADD": _binary(ir.Add),
    "SUB": _binary(ir.Sub),
    "MUL": _binary(ir.Mul),
    "RELU": _unary(ir.Relu, activation="RELU"),
    "RELU6": _unary(ir.Relu, activation="RELU6"),
    "RELU_N1_TO_1": _unary(ir.Relu, activation="RELU_N1_TO_1"),
    "LOGISTIC": _unary(ir.Logistic),
    "TANH": _unary(ir.Tanh),
    "HARD_SWISH": _unary(ir.HardSwish),
    "SOFTMAX": _softmax,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "PAD": _pad,
    "PADV2": _pad,
    "CONCATENATION": _concatenation,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
    "BROADCAST_TO": _broadcast_to,
    "RESIZE_NEAREST_NEIGHBOR": _resize(ir.ResizeNearest),
    "RESIZE_BILINEAR": _resize(ir.ResizeBilinear),
    "QUANTIZE": _convert(ir.Quantize),
    "DEQUANTIZE": _convert(ir.Dequantize),
    "READ_VARIABLE": _read_variable,
    "ASSIGN_VARIABLE": _assign_variable,
    "SHAPE": _shape,
    "PACK": _pack,
}

#: Operators that leave no node.
FREE = frozenset({"VAR_HANDLE", "CALL_ONCE"})

SUPPORTED = tuple(sorted({*_BUILDERS, *FREE}))
