"""int8 convolutions of any window, and dense layers of several rows, by VMLADAVA: 16 products an instruction.

Two pixels by four channels at a time. Windows of one pixel are read where they lie, others are copied, some pixels
ahead. Instructions counted on QEMU's Cortex-M55: 0.125 a multiplication, 4.5 to 5.3 an output, and what copies take.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import Requantization, requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, FullyConnected, MaxPool2D, Node, Value, Weighted
from edgerig.micro.kernels.access import by_pixels, by_runs, itemsize, pooled_begins, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.scaling import NEEDS, rounding, scales_fit
from edgerig.micro.kernels.portable.geometry import conv_and_pool, is_pointwise, pools_whole
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.options import Options

#: Inputs of a step, and channels of a block.
STEP, BLOCK = 16, 4
#: Windows that are copied before any pixel is written: bytes that they may take, and how many at most, by thrift.
_COLUMNS, _MOST = (2048, 1024, 0), 8

_FILES = ("er_mve_conv.h", "er_mve_conv.c", "er_mve_conv.S", "er_mve_copy.S")


class ConvVectors(Kernel):
    """Convolution of any window, stride, dilation, padding; dense layers, row by row."""

    name = "helium-conv"
    needs = NEEDS
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Conv2D | FullyConnected) or node.weights.dtype != "int8":
            return False
        return node.input.dtype == "int8" and node.output.dtype == "int8" and scales_fit(requantization(node))

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        return lower_conv(node, _code(node, context), context)


class ConvPoolVectors(Kernel):
    """Convolution and a maximum of windows that do not overlap, taken of the sums: a quarter is scaled at 2x2."""

    name = "helium-conv-pool"
    needs = NEEDS
    pattern = (Conv2D, MaxPool2D)

    def accepts(self, node: Node, options: Options) -> Answer:
        conv, pool = conv_and_pool(node)
        if any(value.dtype != "int8" for value in (conv.input, conv.weights, conv.output)):
            return False
        return require(pools_whole(conv, pool), "a maximum of overlapping or padded windows") and scales_fit(
            requantization(conv)
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        conv, pool = conv_and_pool(node)
        return lower_pooled(conv, pool, _code(conv, context), context)


class ConvCode(NamedTuple):
    """What is particular to the numbers of a convolution; the walks over its windows in er_mve_conv.c count in bytes.

    Attributes:
        fields: An er_mve_conv in C.
        suffix: Of er_mve_conv_ and er_mve_conv_pool_, the functions for a pair of pixels.
        window: Bytes of a window.
        files: The header of those functions, and all sources.
        ctype: Type of inputs and outputs in C.
    """

    fields: str
    suffix: str
    window: int
    files: tuple[str, ...]
    ctype: str = "int8_t"

    def bytes_of(self, pointer: str, const: str = "") -> str:
        """A pointer to inputs or outputs as one to bytes; to constant ones with ``const``, which ends in a space."""
        return pointer if self.ctype == "int8_t" else f"({const}int8_t *){pointer}"


def lower_conv(node: Conv2D | FullyConnected, code: ConvCode, context: Context) -> Lowered:
    """The walk over the windows of a convolution, or over the rows that a dense layer takes."""
    pixels = node.output.elements // node.weights.shape[0]
    run = f"er_mve_conv_{code.suffix}"
    x, y = code.bytes_of(context.read(node.input), "const "), code.bytes_of(context.write(node.output))
    if isinstance(node, FullyConnected) or is_pointwise(node):
        conv = context.struct("conv", "er_mve_conv", code.fields)
        body = f"er_mve_pointwise_layer(&{conv}, {run}, {pixels}, {code.window}, {x}, {y});"
        # Of a pair of pixels inputs are read again after some outputs were written.
        batch, mixed = 2, True
    else:
        batch, mixed = batch_of(code.window, pixels, context), False
        window = window_struct(node, node.output, [code.fields, run], batch, context)
        columns = code.bytes_of(context.scratch(batch * code.window, code.ctype))
        body = f"er_mve_window_layer(&{window}, {x}, {y}, {columns});"
    lowered = calling(body, *code.files)
    if isinstance(node, FullyConnected):
        return lowered
    begins = window_begins(node)
    access = by_runs(node.output, node.input, begins, range(0, begins.size, batch), mixed)
    return replace(lowered, accesses=(access,))


def lower_pooled(conv: Conv2D, pool: MaxPool2D, code: ConvCode, context: Context) -> Lowered:
    """The walk over the windows of a maximum, for each of which all of its convolution's windows are copied."""
    count, run = math.prod(pool.window), f"er_mve_conv_{code.suffix}"
    window = window_struct(conv, pool.output, [code.fields, run], 2, context)
    steps = initializer([f"er_mve_conv_pool_{code.suffix}", *pool.window, *pool.stride])
    maximum = context.struct("pool", "er_mve_pool", steps)
    columns = code.bytes_of(context.scratch((count + count % 2) * code.window, code.ctype))
    x, y = code.bytes_of(context.read(conv.input), "const "), code.bytes_of(context.write(pool.output))
    lowered = calling(f"er_mve_pool_layer(&{window}, &{maximum}, {x}, {y}, {columns});", *code.files)
    return replace(lowered, accesses=(by_pixels(pool.output, conv.input, pooled_begins(conv, pool)),))


def batch_of(window: int, pixels: int, context: Context) -> int:
    """Windows, of so many bytes each, that are copied before any pixel is written."""
    most = min(_COLUMNS[context.thrift] // window, _MOST, pixels)
    return max(2, most // 2 * 2)


def window_struct(node: Conv2D, output: Value, first: list[str], batch: int, context: Context) -> str:
    """Name of an er_mve_window, its sizes in bytes; ``output``: of the convolution, or of the maximum behind it."""
    _, height, width, channels = node.input.shape
    depth = channels * itemsize(node.input)
    reach = [(taps - 1) * step + 1 for taps, step in zip(node.kernel, node.dilation, strict=True)]
    line, wide = width * depth, node.kernel[1] * depth
    # Gaps along rows are copied tap by tap.
    last_column = width - reach[1] if node.dilation[1] == 1 else -1
    zero = node.input.zero_point if node.input.quantized else 0
    numbers = [
        *(height, width, depth, *node.kernel, *node.stride, *node.dilation),
        *(node.padding.top, node.padding.left),
        *(output.shape[2], output.shape[1] * output.shape[2], zero, batch),
        *(height - reach[0], last_column),
        initializer([node.kernel[0], wide, wide, node.dilation[0] * line]),
    ]
    return context.struct("window", "er_mve_window", initializer([*first, *numbers]))


def _code(node: Conv2D | FullyConnected, context: Context) -> ConvCode:
    """Of an int8 convolution or dense layer."""
    scales = requantization(node)
    matrix = node.weights.array.reshape(node.weights.shape[0], -1)
    return ConvCode(conv_fields(matrix, scales, context), rounding(scales), matrix.shape[1], _FILES)


def conv_fields(matrix: NDArray[np.int8], scales: Requantization, context: Context) -> str:
    """An er_mve_conv in C, its weights among the constants."""
    outputs, inputs = matrix.shape
    rounds = -(-inputs // STEP) - 1
    packed = context.constant("weights", lambda: stream(matrix, scales, BLOCK), stands_for=context.node.inputs[1:])
    tail = inputs - STEP * rounds
    return initializer([packed, outputs, tail, rounds, scales.zero_point, scales.low, scales.high])


def stream(matrix: NDArray[np.int8], scales: Requantization, block: int) -> NDArray[np.int8]:
    """Weights (O, K), biases and scales as er_mve_conv.h says, ``block`` channels together."""
    outputs, inputs = matrix.shape
    steps = -(-inputs // STEP)
    blocks = -(-outputs // block)
    filled = np.zeros((blocks * block, steps * STEP), np.int8)
    # The first step is the short one.
    tail = inputs - STEP * (steps - 1)
    filled[:outputs, :tail] = matrix[:, :tail]
    filled[:outputs, STEP:] = matrix[:, tail:]
    weights = filled.reshape(blocks, block, steps, STEP).transpose(0, 2, 1, 3).reshape(blocks, -1)
    numbers = np.zeros((3, blocks * block), "<i4")
    numbers[:, :outputs] = scales.bias, scales.multipliers, scales.exponents
    by_block = np.ascontiguousarray(numbers.reshape(3, blocks, block).transpose(1, 0, 2)).reshape(blocks, -1)
    return np.concatenate([weights, by_block.view(np.int8)], 1)
