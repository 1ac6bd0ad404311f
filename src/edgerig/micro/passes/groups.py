"""Grouped convolutions as what kernels know: depthwise ones, or one convolution a group."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgerig.artifact import Quantization
from edgerig.micro.ir import Concatenation, Conv2D, DepthwiseConv2D, Node, Program, Split, Value


def ungroup(program: Program) -> None:
    """Groups of one input channel are a depthwise convolution; others are parted, computed one by one and joined."""
    program.nodes = [part for node in program.nodes for part in _parts(node)]


def _parts(node: Node) -> Iterator[Node]:
    if not isinstance(node, Conv2D) or node.groups == 1:
        yield node
    elif node.weights.shape[3] == 1:
        yield _as_depthwise(node)
    else:
        yield from _one_by_one(node)


def _as_depthwise(node: Conv2D) -> Node:
    """Weights (O, KH, KW, 1) become (1, KH, KW, O)."""
    old = node.weights
    quantization = old.quantization
    if quantization is not None and quantization.axis is not None:
        quantization = Quantization(quantization.scales, quantization.zero_points, 3)
    data = np.ascontiguousarray(old.array.transpose(3, 1, 2, 0))
    inputs = [
        node.input,
        Value(old.name, data.shape, old.dtype, quantization, data, packed=old.packed),
        *node.inputs[2:],
    ]
    return DepthwiseConv2D(
        node.name, node.position, inputs, node.outputs, node.activation, node.stride, node.dilation, node.padding,
        old.shape[0] // node.groups,
    )  # fmt: skip


def _one_by_one(node: Conv2D) -> Iterator[Node]:
    sources = [_part(node.input, index, node.weights.shape[3]) for index in range(node.groups)]
    channels = node.weights.shape[0] // node.groups
    results = [_part(node.output, index, channels) for index in range(node.groups)]
    yield Split(node.name, node.position, [node.input], sources, 3)
    for index, (source, result) in enumerate(zip(sources, results, strict=True)):
        constants = [_rows(value, slice(index * channels, (index + 1) * channels)) for value in node.inputs[1:]]
        yield Conv2D(
            node.name, node.position, [source, *constants], [result], node.activation, node.stride, node.dilation,
            node.padding,
        )  # fmt: skip
    yield Concatenation(node.name, node.position, results, node.outputs, 3)


def _part(value: Value, index: int, channels: int) -> Value:
    """The channels of one group."""
    return Value(f"{value.name}/group{index}", (*value.shape[:3], channels), value.dtype, value.quantization)


def _rows(value: Value, rows: slice) -> Value:
    """Weights or bias of some output channels, with their scales."""
    data = np.ascontiguousarray(value.array.reshape(value.array.shape or (1,))[rows])
    quantization = value.quantization
    if quantization is not None and quantization.per_channel:
        zeros = quantization.zero_points
        quantization = Quantization(
            quantization.scales[rows], zeros[rows] if len(zeros) > 1 else zeros, quantization.axis
        )
    return Value(value.name, data.shape, value.dtype, quantization, data, packed=value.packed)
