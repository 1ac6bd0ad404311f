"""Single operators with odd shapes, strides, paddings, dilations, scales and zero points, as TFLite files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgerig.testing.networks.tflite_builder import TfliteBuilder

Rng = np.random.Generator

_ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
_SAME, _VALID = 0, 1


class Draw:
    """Random choices for one operator, of type ``int8`` or ``float32``."""

    def __init__(self, seed: int, dtype: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.net = TfliteBuilder()

    @property
    def quantized(self) -> bool:
        return self.dtype == "int8"

    def whole(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def scale(self, low: float = 0.002, high: float = 0.5) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def zero(self) -> int:
        return int(self.rng.choice([-128, -7, 0, 12, 127, self.whole(-128, 127)]))

    def activation(self) -> int:
        return int(self.rng.choice(list(_ACTIVATIONS.values()), p=[0.4, 0.3, 0.1, 0.2]))

    def input(self, shape: tuple[int, ...], name: str = "x", like: tuple[float, int] | None = None) -> int:
        """An activation; ``like`` fixes scale and zero point."""
        if not self.quantized:
            return self.net.tensor(name, shape, self.dtype)
        scale, zero = like or (self.scale(), self.zero())
        return self.net.tensor(name, shape, self.dtype, scale=scale, zero_point=zero)

    def constant(self, name: str, data: Any, like: tuple[float, int]) -> int:
        """A constant activation."""
        scale = like[0] if self.quantized else None
        return self.net.tensor(name, data.shape, self.dtype, data, scale, like[1])

    def image(self, most: int = 9, channels: int = 9) -> tuple[int, ...]:
        return 1, self.whole(1, most), self.whole(1, most), self.whole(1, channels)

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[int, list[float]]:
        """Weights with a scale for each channel or for all; index and the scales of all channels."""
        if not self.quantized:
            return self.net.tensor("w", shape, "float32", self.rng.normal(size=shape).astype(np.float32)), []
        each = bool(self.rng.integers(2))
        scales = [self.scale(0.0005, 0.05) for _ in range(shape[axis] if each else 1)]
        data = self.rng.integers(-127, 128, shape)
        index = self.net.tensor("w", shape, "int8", data, scale=scales, axis=axis if each else 0)
        return index, scales if each else scales * shape[axis]

    def bias(self, channels: int, scales: list[float]) -> int:
        if not self.quantized:
            return self.net.tensor("b", (channels,), "float32", self.rng.normal(size=channels).astype(np.float32))
        data = self.rng.integers(-3000, 3000, channels)
        several = len(set(scales)) > 1
        return self.net.tensor("b", (channels,), "int32", data, scale=scales if several else scales[:1])

    def output_scale(self, source: float, scales: list[float], count: int) -> float:
        """One that the results fill well, or badly."""
        typical = 70 * 60 * np.sqrt(count) * source * float(np.median(scales)) / 100
        return float(typical * self.rng.choice([0.3, 1, 1, 3]))

    def build(self, inputs: list[int], outputs: list[int]) -> bytes:
        return self.net.build(inputs, outputs)


def _fits(size: int, kernel: int, dilation: int, padding: int) -> bool:
    return padding == _SAME or size >= (kernel - 1) * dilation + 1


def _windows(
    draw: Draw, shape: tuple[int, ...], dilated: bool
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], int]:
    """Kernel, stride, dilation, padding that fit an image."""
    while True:
        kernel = draw.whole(1, 5), draw.whole(1, 5)
        dilation = (draw.whole(1, 3), draw.whole(1, 3)) if dilated and draw.whole(0, 2) == 0 else (1, 1)
        stride = (draw.whole(1, 3), draw.whole(1, 3)) if dilation == (1, 1) else (1, 1)
        padding = draw.whole(0, 1)
        if all(_fits(shape[1 + i], kernel[i], dilation[i], padding) for i in (0, 1)):
            return kernel, stride, dilation, padding


def _out(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    return -(-size // stride) if padding == _SAME else -(-(size - (kernel - 1) * dilation) // stride)


def _source(draw: Draw) -> tuple[float, int]:
    return draw.scale(), draw.zero()


def conv(draw: Draw) -> bytes:
    """CONV_2D."""
    shape = draw.image()
    kernel, stride, dilation, padding = _windows(draw, shape, True)
    channels = draw.whole(1, 9)
    like = _source(draw)
    x = draw.input(shape, like=like)
    w, scales = draw.weights((channels, *kernel, shape[3]), 0)
    b = draw.bias(channels, [like[0] * scale for scale in scales])
    size = tuple(_out(shape[1 + i], kernel[i], stride[i], dilation[i], padding) for i in (0, 1))
    target = draw.output_scale(like[0], scales, kernel[0] * kernel[1] * shape[3]) if draw.quantized else 0.0
    y = draw.input((1, *size, channels), "y", (target, draw.zero()))
    draw.net.operator(
        "CONV_2D", [x, w, b], [y], "Conv2DOptions", padding=padding, strideH=stride[0], strideW=stride[1],
        dilationHFactor=dilation[0], dilationWFactor=dilation[1], fusedActivationFunction=draw.activation(),
    )  # fmt: skip
    return draw.build([x], [y])


def depthwise(draw: Draw) -> bytes:
    """DEPTHWISE_CONV_2D."""
    shape = draw.image()
    kernel, stride, dilation, padding = _windows(draw, shape, True)
    multiplier = int(draw.rng.choice([1, 1, 1, 2, 3]))
    channels = shape[3] * multiplier
    like = _source(draw)
    x = draw.input(shape, like=like)
    w, scales = draw.weights((1, *kernel, channels), 3)
    b = draw.bias(channels, [like[0] * scale for scale in scales])
    size = tuple(_out(shape[1 + i], kernel[i], stride[i], dilation[i], padding) for i in (0, 1))
    target = draw.output_scale(like[0], scales, kernel[0] * kernel[1]) if draw.quantized else 0.0
    y = draw.input((1, *size, channels), "y", (target, draw.zero()))
    draw.net.operator(
        "DEPTHWISE_CONV_2D", [x, w, b], [y], "DepthwiseConv2DOptions", padding=padding, strideH=stride[0],
        strideW=stride[1], dilationHFactor=dilation[0], dilationWFactor=dilation[1], depthMultiplier=multiplier,
        fusedActivationFunction=draw.activation(),
    )  # fmt: skip
    return draw.build([x], [y])


def transpose_conv(draw: Draw) -> bytes:
    """TRANSPOSE_CONV."""
    out = 1, draw.whole(2, 9), draw.whole(2, 9), draw.whole(1, 5)
    kernel, stride, _, padding = _windows(draw, out, False)
    depth = draw.whole(1, 6)
    size = tuple(_out(out[1 + i], kernel[i], stride[i], 1, padding) for i in (0, 1))
    like = _source(draw)
    x = draw.input((1, *size, depth), like=like)
    w, scales = draw.weights((out[3], *kernel, depth), 0)
    shape = draw.net.tensor("shape", (4,), "int32", np.array(out, np.int32))
    inputs = [shape, w, x]
    if draw.quantized:
        inputs.append(draw.bias(out[3], [like[0] * scale for scale in scales]))
    target = draw.output_scale(like[0], scales, kernel[0] * kernel[1] * depth) if draw.quantized else 0.0
    y = draw.input(out, "y", (target, draw.zero()))
    draw.net.operator(
        "TRANSPOSE_CONV", inputs, [y], "TransposeConvOptions", padding=padding, strideH=stride[0], strideW=stride[1]
    )
    return draw.build([x], [y])


def dense(draw: Draw) -> bytes:
    """FULLY_CONNECTED."""
    rows, depth, units = int(draw.rng.choice([1, 1, 1, 3])), draw.whole(1, 40), draw.whole(1, 13)
    like = _source(draw)
    x = draw.input((rows, depth), like=like)
    w, scales = draw.weights((units, depth), 0)
    b = draw.bias(units, [like[0] * scale for scale in scales])
    target = draw.output_scale(like[0], scales, depth) if draw.quantized else 0.0
    y = draw.input((rows, units), "y", (target, draw.zero()))
    options = {"fusedActivationFunction": draw.activation()}
    draw.net.operator("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions", **options)
    return draw.build([x], [y])


def matmul(draw: Draw) -> bytes:
    """BATCH_MATMUL; one side may be constant, or a single matrix for a batch."""
    rows, depth, columns = draw.whole(1, 6), draw.whole(1, 12), draw.whole(1, 6)
    turned = bool(draw.whole(0, 1)), bool(draw.whole(0, 1))
    batch = (draw.whole(1, 3),)
    first, second = _source(draw), (draw.scale(0.005, 0.05), draw.zero())
    a = (*batch, depth, rows) if turned[0] else (*batch, rows, depth)
    matrix = (columns, depth) if turned[1] else (depth, columns)
    b = matrix if draw.whole(0, 2) == 0 else (*batch, *matrix)
    x = draw.input(a, "a", first)
    inputs = [x]
    if draw.whole(0, 1):
        data = draw.rng.integers(-128, 128, b) if draw.quantized else draw.rng.normal(size=b)
        y = draw.constant("b", data, second)
    else:
        y = draw.input(b, "b", second)
        inputs.append(y)
    target = 70 * 70 * np.sqrt(depth) * first[0] * second[0] / 60
    out = draw.input((*batch, rows, columns), "y", (float(target), draw.zero()))
    options = {"adjX": turned[0], "adjY": turned[1]}
    draw.net.operator("BATCH_MATMUL", [x, y], [out], "BatchMatMulOptions", **options)
    return draw.build(inputs, [out])


def pool(draw: Draw) -> bytes:
    """MAX_POOL_2D, AVERAGE_POOL_2D."""
    shape = draw.image()
    window, stride, _, padding = _windows(draw, shape, False)
    like = _source(draw)
    x = draw.input(shape, like=like)
    size = tuple(_out(shape[1 + i], window[i], stride[i], 1, padding) for i in (0, 1))
    y = draw.input((1, *size, shape[3]), "y", like)
    op = ("MAX_POOL_2D", "AVERAGE_POOL_2D")[draw.whole(0, 1)]
    draw.net.operator(
        op, [x], [y], "Pool2DOptions", padding=padding, strideH=stride[0], strideW=stride[1],
        filterHeight=window[0], filterWidth=window[1], fusedActivationFunction=draw.activation(),
    )  # fmt: skip
    return draw.build([x], [y])


def mean(draw: Draw) -> bytes:
    """MEAN."""
    shape = draw.image()
    axes = sorted(draw.rng.choice(4, draw.whole(1, 3), replace=False).tolist())
    if draw.whole(0, 1):
        axes = [1, 2]
    keep = bool(draw.whole(0, 1))
    like = _source(draw)
    x = draw.input(shape, like=like)
    chosen = draw.net.tensor("axes", (len(axes),), "int32", np.array(axes, np.int32))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    out = kept if keep else tuple(size for axis, size in enumerate(shape) if axis not in axes)
    target = like if draw.whole(0, 1) else (like[0] * draw.scale(0.3, 1.0), draw.zero())
    y = draw.input(out, "y", target)
    draw.net.operator("MEAN", [x, chosen], [y], "ReducerOptions", keepDims=keep)
    return draw.build([x], [y])


def binary(draw: Draw) -> bytes:
    """ADD, SUB, MUL; the second side may be broadcast or constant."""
    op = ("ADD", "SUB", "MUL")[draw.whole(0, 2)]
    shape = draw.image(6)
    other = tuple(int(draw.rng.choice([1, size])) for size in shape) if draw.whole(0, 1) else shape
    if draw.whole(0, 3) == 0:
        other = other[draw.whole(0, 3) :]
    first, second = _source(draw), _source(draw)
    # LiteRT wants the scales of a sum to be not too far apart.
    second = (first[0] * draw.scale(0.2, 5), second[1])
    a = draw.input(shape, "a", first)
    inputs = [a]
    if draw.whole(0, 1):
        data = draw.rng.integers(-128, 128, other) if draw.quantized else draw.rng.normal(size=other)
        b = draw.constant("b", data, second)
    else:
        b = draw.input(other, "b", second)
        inputs.append(b)
    product = 60 * first[0] * second[0]
    target = product * draw.scale(0.5, 3) if op == "MUL" else (first[0] + second[0]) * draw.scale(0.4, 2)
    y = draw.input(shape, "y", (target, draw.zero()))
    kind = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}[op]
    swapped = draw.whole(0, 3) == 0
    draw.net.operator(op, [b, a] if swapped else [a, b], [y], kind, fusedActivationFunction=draw.activation())
    return draw.build(inputs, [y])


def curve(draw: Draw) -> bytes:
    """RELU, RELU6, RELU_N1_TO_1, LOGISTIC, TANH, HARD_SWISH."""
    op = ("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "HARD_SWISH")[draw.whole(0, 5)]
    if draw.quantized and op == "RELU_N1_TO_1":
        op = "RELU"
    shape = draw.image(5)
    scale = draw.scale(0.005, 0.2)
    x = draw.input(shape, like=(scale, draw.zero()))
    target = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(op, (scale * draw.scale(0.3, 1.5), draw.zero()))
    y = draw.input(shape, "y", target)
    draw.net.operator(op, [x], [y], "HardSwishOptions" if op == "HARD_SWISH" else None)
    return draw.build([x], [y])


def softmax(draw: Draw) -> bytes:
    """SOFTMAX."""
    shape = (draw.whole(1, 3), draw.whole(1, 20))
    x = draw.input(shape, like=(draw.scale(0.001, 1.0), draw.zero()))
    y = draw.input(shape, "y", (1 / 256, -128))
    beta = float(draw.rng.choice([1.0, 1.0, 0.5, 2.0]))
    draw.net.operator("SOFTMAX", [x], [y], "SoftmaxOptions", beta=beta)
    return draw.build([x], [y])


def pad(draw: Draw) -> bytes:
    """PAD, PADV2."""
    shape = draw.image(5)
    pads = draw.rng.integers(0, 3, (4, 2)).astype(np.int32)
    pads[0] = 0
    like = _source(draw)
    x = draw.input(shape, like=like)
    p = draw.net.tensor("pads", (4, 2), "int32", pads)
    inputs, op, kind = [x, p], "PAD", "PadOptions"
    if draw.whole(0, 1):
        op, kind = "PADV2", "PadV2Options"
        value = draw.rng.integers(-128, 128, (1,)) if draw.quantized else draw.rng.normal(size=(1,))
        inputs.append(draw.constant("value", value, like))
    y = draw.input(tuple(int(size + p.sum()) for size, p in zip(shape, pads, strict=True)), "y", like)
    draw.net.operator(op, inputs, [y], kind)
    return draw.build([x], [y])


def concatenation(draw: Draw) -> bytes:
    """CONCATENATION."""
    shape, like = draw.image(4), _source(draw)
    axis = draw.whole(1, 3)
    parts = []
    for index in range(draw.whole(1, 3)):
        part = list(shape)
        part[axis] = draw.whole(1, 4)
        parts.append((draw.input(tuple(part), f"x{index}", like), part[axis]))
    out = list(shape)
    out[axis] = sum(size for _, size in parts)
    y = draw.input(tuple(out), "y", like)
    signed = axis - 4 if draw.whole(0, 1) else axis
    inputs = [index for index, _ in parts]
    draw.net.operator("CONCATENATION", inputs, [y], "ConcatenationOptions", axis=signed)
    return draw.build(inputs, [y])


def split(draw: Draw) -> bytes:
    """SPLIT, SPLIT_V."""
    like = _source(draw)
    shape = list(draw.image(4))
    axis, count = draw.whole(1, 3), draw.whole(1, 3)
    equal = bool(draw.whole(0, 1))
    sizes = [draw.whole(1, 3)] * count if equal else [draw.whole(1, 4) for _ in range(count)]
    shape[axis] = sum(sizes)
    x = draw.input(tuple(shape), like=like)
    where = draw.net.tensor("axis", () if equal else (1,), "int32", np.array([axis], np.int32))
    outputs = [
        draw.input(tuple(size if i == axis else full for i, full in enumerate(shape)), f"y{index}", like)
        for index, size in enumerate(sizes)
    ]
    if equal:
        draw.net.operator("SPLIT", [where, x], outputs, "SplitOptions", numSplits=count)
    else:
        lengths = draw.net.tensor("sizes", (count,), "int32", np.array(sizes, np.int32))
        draw.net.operator("SPLIT_V", [x, lengths, where], outputs, "SplitVOptions", numSplits=count)
    return draw.build([x], outputs)


def slice_(draw: Draw) -> bytes:
    """SLICE, STRIDED_SLICE."""
    shape, like = draw.image(6), _source(draw)
    x = draw.input(shape, like=like)
    begin = [draw.whole(0, size - 1) for size in shape]
    if draw.whole(0, 1):
        size = [draw.whole(1, full - start) for full, start in zip(shape, begin, strict=True)]
        places = [
            draw.net.tensor(n, (4,), "int32", np.array(v, np.int32)) for n, v in (("begin", begin), ("size", size))
        ]
        y = draw.input(tuple(size), "y", like)
        draw.net.operator("SLICE", [x, *places], [y], "SliceOptions")
        return draw.build([x], [y])
    step = [int(draw.rng.choice([1, 1, 2, 3, -1, -2])) for _ in shape]
    end = [draw.whole(a + 1, full) if by > 0 else draw.whole(-full - 1, -full + a - 1) if a else -full - 1
           for a, by, full in zip(begin, step, shape, strict=True)]  # fmt: skip
    masks = {key: draw.whole(0, 15) if draw.whole(0, 2) == 0 else 0 for key in ("beginMask", "endMask")}
    shrink = draw.whole(0, 15) & 0b0110 if draw.whole(0, 2) == 0 else 0
    step = [1 if shrink >> axis & 1 else by for axis, by in enumerate(step)]
    end = [begin[axis] + 1 if shrink >> axis & 1 else stop for axis, stop in enumerate(end)]
    masks = {key: mask & ~shrink for key, mask in masks.items()}
    out = []
    for axis, full in enumerate(shape):
        start = None if masks["beginMask"] >> axis & 1 else begin[axis]
        stop = None if masks["endMask"] >> axis & 1 else end[axis]
        if not shrink >> axis & 1:
            out.append(len(range(full)[slice(start, stop, step[axis])]))
    places = [
        draw.net.tensor(n, (4,), "int32", np.array(v, np.int32))
        for n, v in (("begin", begin), ("end", end), ("step", step))
    ]
    y = draw.input(tuple(out), "y", like)
    draw.net.operator("STRIDED_SLICE", [x, *places], [y], "StridedSliceOptions", **masks, shrinkAxisMask=shrink)
    return draw.build([x], [y])


def transpose(draw: Draw) -> bytes:
    """TRANSPOSE."""
    shape, like = draw.image(5), _source(draw)
    order = draw.rng.permutation(4).astype(np.int32)
    x = draw.input(shape, like=like)
    p = draw.net.tensor("order", (4,), "int32", order)
    y = draw.input(tuple(shape[axis] for axis in order), "y", like)
    draw.net.operator("TRANSPOSE", [x, p], [y], "TransposeOptions")
    return draw.build([x], [y])


def broadcast(draw: Draw) -> bytes:
    """BROADCAST_TO."""
    shape, like = draw.image(4), _source(draw)
    given = tuple(int(draw.rng.choice([1, size])) for size in shape)[draw.whole(0, 1) :]
    x = draw.input(given, like=like)
    s = draw.net.tensor("shape", (4,), "int32", np.array(shape, np.int32))
    y = draw.input(shape, "y", like)
    draw.net.operator("BROADCAST_TO", [x, s], [y], "BroadcastToOptions")
    return draw.build([x], [y])


def resize(draw: Draw) -> bytes:
    """RESIZE_NEAREST_NEIGHBOR, RESIZE_BILINEAR."""
    shape, like = draw.image(6, 4), _source(draw)
    size = draw.whole(1, 11), draw.whole(1, 11)
    x = draw.input(shape, like=like)
    s = draw.net.tensor("size", (2,), "int32", np.array(size, np.int32))
    y = draw.input((1, *size, shape[3]), "y", like)
    op, kind = (
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
        ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    )[draw.whole(0, 1)]
    corners, centers = ((False, False), (True, False), (False, True))[draw.whole(0, 2)]
    draw.net.operator(op, [x, s], [y], kind, alignCorners=corners, halfPixelCenters=centers)
    return draw.build([x], [y])


def reshape(draw: Draw) -> bytes:
    """RESHAPE of what a RELU made, for a network of reshapes alone is all views."""
    shape, like = draw.image(5), _source(draw)
    x, z = draw.input(shape, like=like), draw.input(shape, "z", like)
    out = (1, int(np.prod(shape)))
    p = draw.net.tensor("shape", (2,), "int32", np.array(out, np.int32))
    y = draw.input(out, "y", like)
    draw.net.operator("RELU", [x], [z])
    draw.net.operator("RESHAPE", [z, p], [y], "ReshapeOptions", newShape=list(out))
    return draw.build([x], [y])


def convert(draw: Draw) -> bytes:
    """QUANTIZE and DEQUANTIZE: float to integer and back, and one integer to another."""
    shape = draw.image(5)
    kinds = ("int8", "uint8")
    first, second = kinds[draw.whole(0, 1)], kinds[draw.whole(0, 1)]
    scale = draw.scale()

    def integer(name: str, kind: str, size: float) -> int:
        zero = draw.whole(0, 255) if kind == "uint8" else draw.zero()
        return draw.net.tensor(name, shape, kind, scale=size, zero_point=zero)

    if not draw.quantized:
        x, q = draw.net.tensor("x", shape, "float32"), integer("q", first, scale)
        y = draw.net.tensor("y", shape, "float32")
        draw.net.operator("QUANTIZE", [x], [q])
        draw.net.operator("DEQUANTIZE", [q], [y])
        return draw.build([x], [y])
    x, y = integer("x", first, scale), integer("y", second, scale * draw.scale(0.4, 2.5))
    draw.net.operator("QUANTIZE", [x], [y])
    return draw.build([x], [y])


OPERATORS: dict[str, Callable[[Draw], bytes]] = {
    "conv": conv, "depthwise": depthwise, "transpose_conv": transpose_conv, "dense": dense, "matmul": matmul,
    "pool": pool, "mean": mean, "binary": binary, "curve": curve, "softmax": softmax, "pad": pad,
    "concatenation": concatenation, "split": split, "slice": slice_, "transpose": transpose, "broadcast": broadcast,
    "resize": resize, "reshape": reshape, "convert": convert,
}  # fmt: skip


def random_operator(kind: str, seed: int, dtype: str) -> bytes:
    """A TFLite file with one operator of a kind of `OPERATORS`; ``dtype`` is int8 or float32."""
    return OPERATORS[kind](Draw(seed, dtype))


def random_inputs(specs: Any, count: int, seed: int) -> list[list[Any]]:
    """``count`` samples for inputs given as things with shape and dtype."""
    rng = np.random.default_rng(seed)
    samples = []
    for index in range(count):
        spread = (0.1, 1.0, 3.0)[index % 3]
        samples.append([
            rng.normal(0, spread, spec.shape).astype(np.float32) if spec.dtype == "float32"
            else rng.integers(np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max + 1, spec.shape).astype(spec.dtype)
            for spec in specs
        ])  # fmt: skip
    return samples
