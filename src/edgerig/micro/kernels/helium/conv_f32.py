"""Float convolutions and dense layers by Helium, four channels an instruction.

Convolutions run as those of int8 do, two pixels by eight channels at a time: what these copy and walk is told in bytes.
Instructions counted on QEMU's Cortex-M55: 0.41 a multiply-accumulate and 2 to 3 an output, and what copies take.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import finite_range, real_range
from edgerig.micro.c_text import c_float, initializer
from edgerig.micro.ir import Conv2D, FullyConnected, MaxPool2D, Node, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.dense.dense import is_dense
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.conv import ConvCode, lower_conv, lower_pooled
from edgerig.micro.kernels.portable.float32 import bias_of
from edgerig.micro.kernels.portable.geometry import conv_and_pool, pools_whole
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.options import Options

#: What all float kernels here need.
NEEDS = frozenset({"thumb2", "fpu", "mve"})
#: Channels of a block and of a vector; bytes of a step of inputs, and of a float.
_BLOCK, _LANES, _STEP, _FLOAT = 8, 4, 16, 4

_FILES = ("er_mve_conv_f32.h", "er_mve_conv.c", "er_mve_conv_f32.S", "er_mve_limit_f32.inc", "er_mve_copy.S")


def floats(node: Weighted) -> bool:
    """Of float inputs, weights and outputs."""
    return all(value.dtype == "float32" for value in (node.input, node.weights, node.output))


class ConvVectorsF32(Kernel):
    """Convolution of any window, stride, dilation, padding; dense layers of several rows."""

    name = "helium-conv-f32"
    needs = NEEDS
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, Conv2D | FullyConnected) and floats(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        return lower_conv(node, _code(node, context), context)


class ConvPoolVectorsF32(Kernel):
    """Convolution and a maximum of windows that do not overlap, taken of the sums."""

    name = "helium-conv-pool-f32"
    needs = NEEDS
    pattern = (Conv2D, MaxPool2D)

    def accepts(self, node: Node, options: Options) -> Answer:
        conv, pool = conv_and_pool(node)
        return floats(conv) and require(pools_whole(conv, pool), "a maximum of overlapping or padded windows")

    def lower(self, node: Node, context: Context) -> Lowered:
        conv, pool = conv_and_pool(node)
        return lower_pooled(conv, pool, _code(conv, context), context)


class DenseVectorsF32(Kernel):
    """Matrix times vector, the weights as they are."""

    name = "helium-dense-f32"
    needs = NEEDS
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, FullyConnected | Conv2D) and floats(node) and is_dense(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Weighted)
        outputs = node.weights.shape[0]
        matrix = node.weights.array.reshape(outputs, -1)
        given, (low, high) = limits(node.activation), finite_range(node.activation)
        weights = context.constant("weights", matrix, stands_for=[node.weights])
        numbers = [
            weights,
            bias_of(context, node, outputs),
            matrix.shape[1],
            outputs,
            given,
            c_float(low),
            c_float(high),
        ]
        dense = context.struct("dense", "er_mve_dense", initializer(numbers))
        body = f"er_mve_dense_f32(&{dense}, {context.read(node.input)}, {context.write(node.output)});"
        return calling(body, "er_mve_dense_f32.h", "er_mve_dense_f32.S", "er_mve_limit_f32.inc")


def limits(activation: str) -> int:
    """1: a low limit, 2: a high one."""
    low, high = real_range(activation)
    return (1 if low > -math.inf else 0) | (2 if high < math.inf else 0)


def _code(node: Conv2D | FullyConnected, context: Context) -> ConvCode:
    """Of a float convolution or dense layer; its weights are put among the constants."""
    outputs = node.weights.shape[0]
    matrix = node.weights.array.reshape(outputs, -1)
    bias = np.zeros(outputs, np.float32) if node.bias is None else node.bias.array.reshape(-1)
    packed = context.constant("weights", lambda: stream(matrix, bias), stands_for=node.inputs[1:])
    window = _FLOAT * matrix.shape[1]
    rounds = -(-window // _STEP) - 1
    bits = [int(np.float32(limit).view(np.int32)) for limit in finite_range(node.activation)]
    fields = initializer(
        [f"(const int8_t *){packed}", _FLOAT * outputs, window - _STEP * rounds, rounds, limits(node.activation), *bits]
    )
    return ConvCode(fields, "f32", window, _FILES, "float")


def stream(matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights (O, K) and biases as er_mve_conv_f32.h says."""
    short = -len(matrix) % _LANES
    rows = np.pad(np.concatenate([matrix, bias[:, None]], 1).astype(np.float32), ((0, short), (0, 0)))
    return np.concatenate([rows[at : at + _BLOCK].T.reshape(-1) for at in range(0, len(rows), _BLOCK)])
