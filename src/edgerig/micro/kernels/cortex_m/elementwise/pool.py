"""Pooling and means of int8, four channels at a time.

Instructions counted on the simulated STM32F746: means of whole images 2 an element; maxima of 2x2 windows 21 an output,
their means 39.
"""

from __future__ import annotations

import math
from dataclasses import replace

from edgerig.micro.arithmetic.requantize import activation_range
from edgerig.micro.arithmetic.scales import mean_multiplier
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import AveragePool2D, MaxPool2D, Mean, Node, Pool2D, Value
from edgerig.micro.kernels.access import by_groups, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below, whole_words
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.layouts import PLAIN, PLANAR
from edgerig.micro.kernels.refusals import Answer, by, require
from edgerig.micro.options import Options

#: Sums of so many int8 fit into 16 bits.
_MOST = 255


def pool_settings(node: Pool2D, context: Context) -> str:
    """The struct of a pooling."""
    numbers = (
        *node.input.shape[1:],
        *node.window,
        *node.stride,
        node.padding.top,
        node.padding.left,
        *node.output.shape[1:3],
        *activation_range(node.activation, node.output),
    )
    return context.struct("pool", "er_pool", initializer(numbers))


def means_fit(node: Pool2D) -> Answer:
    """Whether sums fit into 16 bits and halves are rounded away from zero."""
    halves_up = isinstance(node, AveragePool2D) and node.unsigned
    return require(not halves_up, "means of uint8, whose halves are rounded up") and require(
        math.prod(node.window) <= _MOST, f"{by(node.window)} window, at most {_MOST} pixels"
    )


class _Pool(Kernel):
    """Channels in whole words."""

    needs = frozenset({"thumb2", "dsp"})
    call = ""

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Pool2D) or not isinstance(node, self.node) or node.input.dtype != "int8":
            return False
        sizes = (*node.input.shape, *node.window, *node.stride)
        return whole_words(node.input.shape[3]) and sizes_below(sizes, 1 << 15)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Pool2D)
        pool = pool_settings(node, context)
        body = f"{self.call}(&{pool}, {context.read(node.input)}, {context.write(node.output)});"
        access = by_groups(node.output, node.input, window_begins(node), 4)
        return replace(calling(body, "er_pool.h", "er_pool.c"), accesses=(access,))


class MaxPool(_Pool):
    """Maximum of each window."""

    name = "max-pool-words"
    node = MaxPool2D
    call = "er_max_pool_s8"


class AveragePool(_Pool):
    """Windows of at most 255 pixels."""

    name = "average-pool-words"
    node = AveragePool2D
    call = "er_average_pool_s8"

    def accepts(self, node: Node, options: Options) -> Answer:
        answer = super().accepts(node, options)
        if not answer or not isinstance(node, Pool2D):
            return answer
        return means_fit(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, AveragePool2D)
        if context.layout(node.input) != PLANAR:
            return super().lower(node, context)
        low, high = activation_range(node.activation, node.output)
        _, height, width, depth = node.input.shape
        x, y = context.read(node.input), context.write(node.output)
        body = f"er_average_planes_s8({x}, {y}, {depth}, {height * width}, {low}, {high});"
        return calling(body, "er_pool.h", "er_pool.c")

    def reads(self, node: Node, value: Value) -> tuple[str, ...]:
        whole = isinstance(node, AveragePool2D) and node.window == node.input.shape[1:3] and node.padding.none
        return (PLANAR, PLAIN) if whole else (PLAIN,)


class PixelMean(Kernel):
    """MEAN over height and width of at most 255 pixels, channels in whole words."""

    name = "mean-words"
    needs = frozenset({"thumb2", "dsp"})
    node = Mean

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Mean) or (node.input.dtype, node.output.dtype) != ("int8", "int8"):
            return False
        shape = node.input.shape
        return (
            require(
                len(shape) == 4 and node.axes == (1, 2),
                f"axes {node.axes} of {len(shape)}, height and width are needed",
            )
            and whole_words(shape[3])
            and require(shape[1] * shape[2] <= _MOST, f"{shape[1] * shape[2]} pixels, at most {_MOST}")
            and require(-30 <= mean_multiplier(node)[2] <= -1, "scale out of range: a shift of 1 to 30 is needed")
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Mean)
        count, multiplier, exponent = mean_multiplier(node)
        numbers = (
            count,
            node.input.shape[3],
            count * node.input.zero_point,
            multiplier,
            -exponent,
            node.output.zero_point,
        )
        mean = context.struct("mean", "er_mean", initializer(numbers))
        body = f"er_mean_s8(&{mean}, {context.read(node.input)}, {context.write(node.output)});"
        return calling(body, "er_pool.h", "er_pool.c")
