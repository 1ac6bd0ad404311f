"""Float depthwise convolutions, pooling, means, sums and products by Helium, four channels an instruction.

Instructions counted on QEMU's Cortex-M55: a tap of 16 channels takes 15, a pooling's pixel of four channels 5; four
sums 5, with limits 9.
"""

from __future__ import annotations

from dataclasses import replace

from edgerig.micro.arithmetic.requantize import finite_range
from edgerig.micro.c_text import c_float, initializer
from edgerig.micro.ir import Add, AveragePool2D, Binary, DepthwiseConv2D, MaxPool2D, Mean, Mul, Node, Pool2D, Sub
from edgerig.micro.kernels.access import by_groups, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_f32 import DepthwiseFloat, depthwise_struct
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.conv_f32 import NEEDS, limits
from edgerig.micro.kernels.portable.common import struct
from edgerig.micro.kernels.portable.elementwise import BinaryF32, binary_walk
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.options import Options

_FLOAT, _LANES, _LIMIT = 4, 4, 1 << 15


class DepthwiseVectorsF32(DepthwiseFloat):
    """What `DepthwiseFloat` takes, 16, 8 or up to 4 channels at a time."""

    name = "helium-depthwise-f32"
    needs = NEEDS

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        low, high = finite_range(node.activation)
        layer = depthwise_struct(node, context, str(limits(node.activation)), c_float(low), c_float(high))
        x, y = context.read(node.input), context.write(node.output)
        body = f"er_depthwise_f32_layer(&{layer}, er_mve_depthwise_f32_pixel, {x}, {y});"
        files = ("er_depthwise_f32.c", "er_depthwise_f32.h", "er_mve_depthwise_f32.S", "er_mve_limit_f32.inc")
        access = by_groups(node.output, node.input, window_begins(node), _LANES)
        return replace(calling(body, "er_mve_depthwise_f32.h", *files), accesses=(access,))


class PoolVectorsF32(Kernel):
    """Maxima and means of windows, any number of channels."""

    name = "helium-pool-f32"
    needs = NEEDS
    node = Pool2D

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Pool2D) or node.input.dtype != "float32":
            return False
        _, height, width, channels = node.input.shape
        sizes = (height, width, _FLOAT * channels, *node.window, *node.stride)
        return sizes_below(sizes, _LIMIT) and require(node.activation == "NONE", f"a fused {node.activation}")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, MaxPool2D | AveragePool2D)
        run = "maximum" if isinstance(node, MaxPool2D) else "mean"
        walk = (*node.window, *node.stride, node.padding.top, node.padding.left, *node.output.shape[1:3])
        lowered = _pool(node, run, walk, context)
        return replace(lowered, accesses=(by_groups(node.output, node.input, window_begins(node), _LANES),))


class MeanVectorsF32(Kernel):
    """MEAN over height and width."""

    name = "helium-mean-f32"
    needs = NEEDS
    node = Mean

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Mean) or node.input.dtype != "float32":
            return False
        shape = node.input.shape
        return require(
            len(shape) == 4 and shape[0] == 1 and node.axes == (1, 2),
            f"axes {node.axes} of {len(shape)}, height and width of one image are needed",
        ) and sizes_below((*shape[1:3], _FLOAT * shape[3]), _LIMIT)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Mean)
        return _pool(node, "mean", (*node.input.shape[1:3], 1, 1, 0, 0, 1, 1), context)


def _pool(node: Pool2D | Mean, run: str, walk: tuple[int, ...], context: Context) -> Lowered:
    """``walk``: an er_pool from the window's height to the output's width."""
    _, height, width, channels = node.input.shape
    pool = context.struct("pool", "er_pool", initializer([height, width, _FLOAT * channels, *walk, 0, 0]))
    x, y = f"(const int8_t *){context.read(node.input)}", f"(int8_t *){context.write(node.output)}"
    body = f"er_mve_pool_windows(&{pool}, er_mve_pool_{run}_f32, {x}, {y});"
    return calling(body, "er_mve_pool.h", "er_mve_pool.c", "er_mve_pool_f32.S", "er_pool.h")


class BinaryVectorsF32(BinaryF32):
    """Sums, differences and products of numbers that lie one behind the other, or are one on one side."""

    name = "helium-binary-f32"
    needs = NEEDS
    node = Binary

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Add | Sub | Mul) or not super().accepts(node, options):
            return False
        a, b = _last_steps(node)
        return require({a, b} <= {0, 1}, "elements that lie apart") and require(
            a == 1 or not isinstance(node, Sub), "a difference of one number and several"
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Add | Sub | Mul)
        walk = binary_walk(node)
        assert walk is not None
        size, *steps = walk
        names = [context.read(value) for value in node.inputs[:2]]
        if _last_steps(node)[0] == 0:
            names, steps = names[::-1], steps[::-1]
        constant = int(steps[1][-1] == 0)
        low, high = finite_range(node.activation)
        numbers = [size[-1], constant, limits(node.activation), c_float(low), c_float(high)]
        line = context.struct("line", "er_mve_line", initializer(numbers))
        fields = struct(size=size, step_a=steps[0], step_b=steps[1], **self._numbers(node))
        binary = context.struct("binary", "micro_binary_f32", fields)
        given = ", ".join([f"&{binary}", f"&{line}", _RUNS[type(node)], *names, context.write(node.output)])
        files = ("er_mve_binary_f32.c", "er_mve_binary_f32.S", "micro_binary.h")
        return calling(f"er_mve_binary_f32({given});", "er_mve_binary_f32.h", *files)


_RUNS: dict[type[Node], str] = {Add: "er_mve_sum_f32", Sub: "er_mve_difference_f32", Mul: "er_mve_product_f32"}


def _last_steps(node: Binary) -> tuple[int, int]:
    """From one element of the inputs to the next, along the last axis: 0 where it is one for all."""
    walk = binary_walk(node)
    assert walk is not None
    return walk[1][-1], walk[2][-1]
