"""Means of int8 over windows without SIMD and without a division: about 6 instructions an input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgerig.micro.arithmetic.requantize import activation_range
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import AveragePool2D, Node
from edgerig.micro.kernels.access import by_pixels, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.kernels.scalar.cores import HERE, Core
from edgerig.micro.kernels.scalar.pieces import fit
from edgerig.micro.options import Options

#: Pixels of a window.
_MOST = 4096


class Means(Kernel):
    """Windows that lie within the image."""

    node = AveragePool2D

    def __init__(self, core: Core) -> None:
        self.name, self.needs, self.core = f"{core.name}-mean", core.needs, core  # type: ignore[misc]

    def accepts(self, node: Node, options: Options) -> Answer:
        assert isinstance(node, AveragePool2D)
        if {node.input.dtype, node.output.dtype} != {"int8"}:
            return False
        return (
            require(node.padding.none, "windows that reach over the border")
            and require(not node.unsigned, "means of uint8, whose halves are rounded up")
            and require(math.prod(node.window) <= _MOST, f"windows of more than {_MOST:,} pixels")
            and require(scale_of(node) is not None, "no scaling in pieces is exact")
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, AveragePool2D)
        scale = scale_of(node)
        assert scale is not None
        _, _, width, depth = node.input.shape
        sizes = [width, depth, *node.window, *node.stride, *node.output.shape[1:3]]
        limits = initializer([0, 0, *activation_range(node.activation, node.output)])
        layer = context.struct("mean", "er_sc_mean", initializer([*sizes, initializer(scale), limits]))
        x, y = context.read(node.input), context.write(node.output)
        body = f"er_sc_mean_run(&{layer}, {x}, {y}, {context.scratch(4 * depth, 'int32_t')});"
        lowered = Lowered(body, (HERE / "er_sc_mean.c", *self.core.pieces), ("er_sc_mean.h",))
        return replace(lowered, accesses=(by_pixels(node.output, node.input, window_begins(node)),))


def scale_of(node: AveragePool2D) -> tuple[int, int, int, int] | None:
    """An er_sc_channel that divides sums with halves away from zero, as LiteRT does; None if there is none."""
    count = math.prod(node.window)
    low, high = activation_range(node.activation, node.output)
    sums = np.arange(-128 * count, 127 * count + 1, dtype=np.int64)
    means = np.clip(np.sign(sums) * ((np.abs(sums) + count // 2) // count), low, high)
    levels = np.arange(low + 1, high + 1, dtype=np.int64)
    steps = sums[0] + np.searchsorted(means, levels)
    return fit(low, levels, steps, int(sums[0]), int(sums[-1]), 1 / count)
