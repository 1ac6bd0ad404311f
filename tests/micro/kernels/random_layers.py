"""Random layers of int8, of every shape and scale, and of float, for the tests of kernels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
import numpy as np

from edgerig.micro.ir import (
    Add,
    AveragePool2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mul,
    Node,
    Sub,
    Value,
    Weighted,
)
from edgerig.testing.networks.operators import int8_value, random_conv

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
CHANNELS = (1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33, 48)
Generator = np.random.Generator


def zero_points(rng: Generator) -> tuple[int, int]:
    return int(rng.integers(-128, 128)), int(rng.choice([-128, 0, 127, int(rng.integers(-128, 128))]))


def scatter_scales(rng: Generator, node: Weighted) -> None:
    """Scales over orders of magnitude, channels without weights, biases far off, now and then."""
    quantization, bias = node.weights.quantization, node.bias
    assert quantization is not None
    assert bias is not None
    if rng.integers(3) == 0:
        channels = len(quantization.scales)
        scales = np.array(quantization.scales) * 10 ** rng.uniform(-4, 0, channels)
        node.weights.quantization = msgspec.structs.replace(quantization, scales=tuple(np.float32(scales).tolist()))
        silent = rng.random(channels) < 0.3
        node.weights.array[(..., silent) if isinstance(node, DepthwiseConv2D) else silent] = 0
        bias.array[rng.random(channels) < 0.2] = int(rng.integers(-(1 << 30), 1 << 30))


def any_conv(rng: Generator) -> Node:
    """Any window that fits into its image."""
    while True:
        height, width, outputs = (int(rng.integers(1, 13)) for _ in range(3))
        pointwise, same = rng.integers(3) == 0, bool(rng.integers(2))
        kernel = (1, 1) if pointwise else (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        stride, dilation = ((int(rng.integers(1, 3)), int(rng.integers(1, 3))) for _ in range(2))
        reach = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
        if same or (height >= reach[0] and width >= reach[1]):
            break
    node = random_conv(
        rng,
        (height, width, int(rng.choice(CHANNELS))),
        outputs,
        kernel,
        stride=stride,
        dilation=dilation,
        same=same,
        activation=str(rng.choice(ACTIVATIONS)),
        zero_points=zero_points(rng),
    )
    scatter_scales(rng, node)
    return node


def any_depthwise(rng: Generator) -> Node:
    """Any window, 3x3 in half of them; lines of one column among the images."""
    while True:
        height, width = int(rng.integers(1, 13)), int(rng.choice([1, *range(1, 13)]))
        kernel = (3, 3) if rng.integers(2) else (int(rng.integers(1, 7)), int(rng.integers(1, 7)))
        stride, dilation = ((int(rng.integers(1, 4)), int(rng.integers(1, 3))) for _ in range(2))
        channels, same = int(rng.choice([2, 3, 5, 8, 12, 16, 24, 40, 64, 130])), bool(rng.integers(2))
        reach = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
        if same or (height >= reach[0] and width >= reach[1]):
            break
    node = random_conv(
        rng,
        (height, width, channels),
        channels,
        kernel,
        stride=stride,
        dilation=dilation,
        same=same,
        activation=str(rng.choice(ACTIVATIONS)),
        zero_points=zero_points(rng),
        depthwise=True,
    )
    scatter_scales(rng, node)
    return node


def conv_and_pool(rng: Generator) -> Sequence[Node]:
    """A convolution and a maximum of windows that do not overlap, of odd and even numbers of pixels."""
    while True:
        conv = any_conv(rng)
        window = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        stride = (window[0] + int(rng.integers(2)), window[1] + int(rng.integers(2)))
        _, height, width, channels = conv.output.shape
        if height >= window[0] and width >= window[1]:
            break
    sizes = ((height - window[0]) // stride[0] + 1, (width - window[1]) // stride[1] + 1)
    output = Value("z", (1, *sizes, channels), "int8", conv.output.quantization)
    return [conv, MaxPool2D("pool", 1, [conv.output], [output], window, stride)]


def any_sum(rng: Generator) -> Node:
    """ADD or SUB of two tensors of one shape; their scales are such that factors of 20 bits can be exact."""
    shape = (1, int(rng.integers(1, 50)))
    scale = float(rng.uniform(0.02, 0.2))
    ratio = 2.0 ** int(rng.integers(-2, 1))
    values = [
        int8_value(name, shape, [scale * factor], [int(rng.integers(-128, 128))])
        for name, factor in (("x0", 1), ("x1", ratio), ("y", 2))
    ]
    kind = Add if rng.random() < 0.5 else Sub
    return kind("sum", 0, values[:2], values[2:])


def any_sides(rng: Generator) -> Node:
    """ADD or SUB of two tensors of one shape and of any scales."""
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.integers(1, 20)))
    scales = [float(rng.uniform(0.02, 0.2)) for _ in range(2)]
    values = _binary_values(rng, (shape, shape, shape), (*scales, 128 * sum(scales)))
    kind = Add if rng.random() < 0.5 else Sub
    return kind("sides", 0, values[:2], values[2:], str(rng.choice(ACTIVATIONS)))


def any_product(rng: Generator) -> Node:
    """Of two tensors of one shape, or by a number for each channel, which either input may be."""
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.integers(1, 20)))
    scales = [float(rng.uniform(0.02, 0.2)) for _ in range(2)]
    other = (1, 1, 1, shape[-1]) if rng.random() < 0.5 else shape
    values = _binary_values(rng, (shape, other, shape), (*scales, 128 * 128 * scales[0] * scales[1]))
    inputs = values[:2] if rng.random() < 0.5 else values[1::-1]
    return Mul("product", 0, inputs, values[2:], str(rng.choice(ACTIVATIONS)))


def _binary_values(rng: Generator, shapes: Sequence[tuple[int, ...]], spans: tuple[float, float, float]) -> list[Value]:
    """Two inputs with their scales, and an output for results that may be as large as ``spans`` says, some clamped."""
    scales = (*spans[:2], spans[2] / float(rng.uniform(60, 200)))
    return [
        int8_value(name, shape, [scale], [int(rng.integers(-128, 128))])
        for name, shape, scale in zip(("x0", "x1", "y"), shapes, scales, strict=True)
    ]


def any_mean(rng: Generator) -> Node:
    """Windows of any size up to 255 pixels, which may reach over the border."""
    pool = any_maximum(rng)
    assert isinstance(pool, MaxPool2D)
    while int(np.prod(pool.window)) > 255:
        pool = any_maximum(rng)
        assert isinstance(pool, MaxPool2D)
    settings = pool.window, pool.stride, pool.padding, pool.activation
    return AveragePool2D("pool", 1, pool.inputs, pool.outputs, *settings)


def any_maximum(rng: Generator) -> Node:
    """Windows of any size, which may reach over the border."""
    conv = any_depthwise(rng)
    assert isinstance(conv, DepthwiseConv2D)
    while conv.dilation != (1, 1):
        conv = any_depthwise(rng)
        assert isinstance(conv, DepthwiseConv2D)
    conv.output.quantization = conv.input.quantization
    activation = str(rng.choice(ACTIVATIONS))
    values = [conv.input], [conv.output]
    return MaxPool2D("pool", 1, *values, conv.kernel, conv.stride, conv.padding, activation)


def any_dense(rng: Generator) -> Node:
    """Some rows."""
    inputs, outputs, rows = int(rng.integers(1, 100)), int(rng.integers(1, 30)), int(rng.choice([1, 1, 2, 5]))
    conv = random_conv(
        rng,
        (rows, 1, inputs),
        outputs,
        (1, 1),
        activation=str(rng.choice(ACTIVATIONS)),
        zero_points=zero_points(rng),
    )
    values = [Value(v.name, s, v.dtype, v.quantization, v.data) for v, s in zip(
        (*conv.inputs, conv.output), ((rows, inputs), (outputs, inputs), (outputs,), (rows, outputs)), strict=True
    )]  # fmt: skip
    values[1].data = values[1].array.reshape(outputs, inputs)
    return FullyConnected("dense", 0, values[:3], values[3:], conv.activation)


def chained(nodes: Node | Sequence[Node]) -> Sequence[Node]:
    """One node as a list."""
    return [nodes] if isinstance(nodes, Node) else nodes


def in_floats(rng: Generator, nodes: Node | Sequence[Node]) -> list[Node]:
    """The same layers of float32, of random weights."""
    known: dict[Value, Value] = {}

    def in_float(value: Value) -> Value:
        if value not in known:
            data = rng.normal(0, 0.3, value.shape).astype(np.float32) if value.constant else None
            known[value] = Value(value.name, value.shape, "float32", None, data)
        return known[value]

    return [
        dataclasses.replace(node, inputs=[*map(in_float, node.inputs)], outputs=[*map(in_float, node.outputs)])
        for node in chained(nodes)
    ]
