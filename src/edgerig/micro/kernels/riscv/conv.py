"""int8 convolutions and dense layers for RISC-V: four channels by four pixels, whose sums stay in registers.

Windows of one pixel are read where they lie, others are copied, four pixels at a time. 2.6 instructions a
multiply-accumulate, 3.5 where there is one pixel; 14 to 22 an output, and copies: 1 to 3 for each byte.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, FullyConnected, MaxPool2D, Node, Value, Weighted
from edgerig.micro.kernels.access import by_pixels, by_runs, pooled_begins, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.portable.geometry import conv_and_pool, is_pointwise, pools_whole
from edgerig.micro.kernels.refusals import Answer, exact, require
from edgerig.micro.kernels.scalar.cores import RV32, in_blocks
from edgerig.micro.kernels.scalar.scaling import Scaling, scaling_of
from edgerig.micro.options import Options

HERE = Path(__file__).parent
#: Channels, and pixels, of a block.
BLOCK = 4
_FILES = tuple(HERE / name for name in ("er_rv_conv.c", "er_rv_window.c", "er_rv_sums.S"))


class ConvBlocks(Kernel):
    """Convolution of any window, stride, dilation, padding; dense layers of any number of rows."""

    name = "riscv-conv"
    needs = RV32.needs
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, Conv2D | FullyConnected) and _int8(node) and exact(scaling_of(node))

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        scaling = scaling_of(node)
        assert isinstance(scaling, Scaling)
        fields, run = _fields(node, scaling, context), f"er_rv_conv_{scaling.rounding}"
        x, y = context.read(node.input), context.write(node.output)
        if isinstance(node, FullyConnected) or is_pointwise(node):
            conv = context.struct("conv", "er_rv_conv", fields)
            pixels = node.output.elements // node.weights.shape[0]
            # Of four pixels inputs are read again after some outputs were written.
            body, mixed = f"{run}(&{conv}, {x}, {y}, {pixels});", True
        else:
            window = _window(node, node.output, fields, run, context)
            columns = context.scratch(BLOCK * _inputs(node))
            body, mixed = f"er_rv_window_layer(&{window}, {x}, {y}, {columns});", False
        lowered = Lowered(body, _FILES, ("er_rv_conv.h",))
        if isinstance(node, FullyConnected):
            return lowered
        begins = window_begins(node)
        return replace(
            lowered, accesses=(by_runs(node.output, node.input, begins, range(0, begins.size, BLOCK), mixed),)
        )


class ConvPoolBlocks(Kernel):
    """Convolution and a maximum of windows that do not overlap, taken of the sums: a quarter is scaled at 2x2."""

    name = "riscv-conv-pool"
    needs = RV32.needs
    pattern = (Conv2D, MaxPool2D)

    def accepts(self, node: Node, options: Options) -> Answer:
        conv, pool = conv_and_pool(node)
        return (
            _int8(conv)
            and require(pools_whole(conv, pool), "a maximum of overlapping or padded windows")
            and exact(scaling_of(conv))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        conv, pool = conv_and_pool(node)
        scaling = scaling_of(conv)
        assert isinstance(scaling, Scaling)
        fields = _fields(conv, scaling, context)
        window = _window(conv, pool.output, fields, f"er_rv_greatest_{scaling.rounding}", context)
        steps = context.struct("pool", "er_rv_pool", initializer([*pool.window, *pool.stride]))
        filled = -(-math.prod(pool.window) // BLOCK) * BLOCK
        columns = context.scratch(filled * _inputs(conv))
        x, y = context.read(conv.input), context.write(pool.output)
        lowered = Lowered(f"er_rv_pool_layer(&{window}, &{steps}, {x}, {y}, {columns});", _FILES, ("er_rv_conv.h",))
        return replace(lowered, accesses=(by_pixels(pool.output, conv.input, pooled_begins(conv, pool)),))


def _int8(node: Conv2D | FullyConnected) -> bool:
    return {value.dtype for value in (node.input, node.weights, node.output)} == {"int8"}


def _inputs(node: Weighted) -> int:
    """Inputs that a pixel sees."""
    return math.prod(node.weights.shape[1:])


def _fields(node: Weighted, scaling: Scaling, context: Context) -> str:
    """An er_rv_conv in C."""
    matrix = node.weights.array.reshape(node.weights.shape[0], -1)
    weights = context.constant("weights", lambda: in_blocks(matrix, BLOCK), stands_for=[node.weights])
    return initializer([weights, scaling.table(context, node), *matrix.shape, scaling.range()])


def _window(node: Conv2D, output: Value, fields: str, run: str, context: Context) -> str:
    """Name of an er_rv_window; ``output``: of the convolution, or of the maximum behind it."""
    numbers = [
        *node.input.shape[1:],
        *(*node.kernel, *node.stride, *node.dilation),
        *(node.padding.top, node.padding.left, output.shape[2], output.shape[1] * output.shape[2]),
        node.input.zero_point,
    ]
    return context.struct("window", "er_rv_window", initializer([fields, run, *numbers]))
