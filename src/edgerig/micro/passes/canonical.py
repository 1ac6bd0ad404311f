"""One form for what a file may say in two ways."""

from __future__ import annotations

import numpy as np

from edgerig.artifact import Quantization
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, Node, Program, Value


def canonical(program: Program) -> None:
    """A depthwise convolution of one channel is a convolution: weights (1, KH, KW, O) become (O, KH, KW, 1)."""
    program.nodes = [_as_convolution(node) for node in program.nodes]


def _as_convolution(node: Node) -> Node:
    if not isinstance(node, DepthwiseConv2D) or node.input.shape[3] != 1:
        return node
    old = node.weights
    quantization = old.quantization
    if quantization is not None and quantization.axis is not None:
        quantization = Quantization(quantization.scales, quantization.zero_points, 0)
    data = np.ascontiguousarray(old.array.transpose(3, 1, 2, 0))
    weights = Value(old.name, data.shape, old.dtype, quantization, data, packed=old.packed)
    inputs = [node.input, weights, *node.inputs[2:]]
    return Conv2D(
        node.name, node.position, inputs, node.outputs, node.activation, node.stride, node.dilation, node.padding
    )
