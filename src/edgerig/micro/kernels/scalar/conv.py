"""int8 convolutions, and dense layers of several rows, on Arm's processors without SIMD: products of pairs of pixels.

Two inputs share a word, ``x0 + x1 * 2**16``, so that one product by a weight makes two, and sums of such products
two sums, as long as both stay between -2**15 and 2**15. How many products that allows depends on the weights: each
channel has the longest runs of 1, 2, 3, 4 or 8 that never leave them. Four pixels are summed at a time; their windows
are copied as pairs.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, FullyConnected, MaxPool2D, Node, Value, Weighted
from edgerig.micro.kernels.access import by_pixels, by_runs, pooled_begins, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.portable.geometry import conv_and_pool, is_pointwise, pools_whole
from edgerig.micro.kernels.refusals import Answer, exact, require
from edgerig.micro.kernels.scalar.cores import HERE, Core
from edgerig.micro.kernels.scalar.dense import is_int8
from edgerig.micro.kernels.scalar.scaling import Scaling
from edgerig.micro.options import Options

#: Pixels that are summed together, and bytes of a column of their pairs.
PIXELS, _COLUMN = 4, 8
#: Products whose sums are told apart at once; of how many in a row, where such runs begin.
RUNS = {1: (1, (0,)), 2: (2, (0,)), 3: (8, (0, 3, 6)), 4: (4, (0,)), 8: (8, (0,))}
#: Weights of a row are filled up to a multiple of this.
_STEP = 4


class ConvPairs(Kernel):
    """Convolution of any window, stride, dilation, padding; dense layers of several rows."""

    node = Weighted

    def __init__(self, core: Core) -> None:
        self.name, self.needs, self.core = f"{core.name}-conv", core.needs, core  # type: ignore[misc]

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, Conv2D | FullyConnected) and is_int8(node) and exact(self.core.scaling(node))

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        fields, length = _pairs(node, self.core, context)
        columns = context.scratch(length * _COLUMN, "int32_t")
        x, y = context.read(node.input), context.write(node.output)
        if isinstance(node, FullyConnected) or is_pointwise(node):
            layer = context.struct("conv", "er_sc_pairs", fields)
            pixels = node.output.elements // node.weights.shape[0]
            lowered = _calling(f"er_sc_pairs_run(&{layer}, {x}, {y}, {pixels}, {columns});", self.core)
        else:
            window = _window(node, node.output, fields, context)
            body = f"er_sc_window_run(&{window}, {x}, {y}, {columns}, {_zeros(node, context)});"
            lowered = _calling(body, self.core)
        if isinstance(node, FullyConnected):
            return lowered
        begins = window_begins(node)
        return replace(lowered, accesses=(by_runs(node.output, node.input, begins, range(0, begins.size, PIXELS)),))


class ConvPoolPairs(Kernel):
    """Convolution and a maximum of windows that do not overlap, taken of the sums: a quarter is scaled at 2x2."""

    pattern = (Conv2D, MaxPool2D)

    def __init__(self, core: Core) -> None:
        self.name, self.needs, self.core = f"{core.name}-conv-pool", core.needs, core  # type: ignore[misc]

    def accepts(self, node: Node, options: Options) -> Answer:
        conv, pool = conv_and_pool(node)
        return (
            is_int8(conv)
            and require(pools_whole(conv, pool), "a maximum of overlapping or padded windows")
            and exact(self.core.scaling(conv))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        conv, pool = conv_and_pool(node)
        fields, length = _pairs(conv, self.core, context)
        window = _window(conv, pool.output, fields, context)
        steps = context.struct("pool", "er_sc_pool", initializer([*pool.window, *pool.stride]))
        blocks = -(-math.prod(pool.window) // PIXELS)
        columns = context.scratch(blocks * length * _COLUMN, "int32_t")
        x, y = context.read(conv.input), context.write(pool.output)
        body = f"er_sc_pool_run(&{window}, &{steps}, {x}, {y}, {columns}, {_zeros(conv, context)});"
        access = by_pixels(pool.output, conv.input, pooled_begins(conv, pool))
        return replace(_calling(body, self.core), accesses=(access,))


def _calling(body: str, core: Core) -> Lowered:
    return Lowered(body, (HERE / "er_sc_pairs.c", HERE / "er_sc_scale.c", *core.assembly), ("er_sc_pairs.h",))


def _zeros(node: Conv2D, context: Context) -> str:
    """Memory for what a row of a window sees outside of the image."""
    return "0" if node.padding.none else context.scratch(node.kernel[1] * node.input.shape[3])


def _pairs(node: Weighted, core: Core, context: Context) -> tuple[str, int]:
    """An er_sc_pairs in C, and the length of its rows."""
    scaling = core.scaling(node)
    assert isinstance(scaling, Scaling)
    matrix = node.weights.array.reshape(node.weights.shape[0], -1)
    rows = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % _STEP)))
    kinds = runs(rows)
    weights = context.constant("weights", rows, stands_for=[node.weights])
    which = context.constant("kinds", kinds, stands_for=[node.weights])
    dots = [f"er_sc_dot_{run}" if (kinds == kind).any() else "0" for kind, run in enumerate(RUNS)]
    numbers = [len(rows), rows.shape[1], matrix.shape[1]]
    table, scale = scaling.table(context, node), f"er_sc_scale_{scaling.rounding}"
    fields = [weights, which, table, initializer(dots), scale, *numbers, scaling.range()]
    return initializer(fields), rows.shape[1]


def runs(rows: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Of each channel the index in `RUNS` of the longest runs whose sums are always between -2**15 and 2**15.

    -2**15 itself is not: as the upper of two sums it would lose the 1 that a lower one below 0 takes from it.
    """
    kinds, length = np.zeros(len(rows), np.uint8), rows.shape[1]
    positive, negative = (side(rows, 0).astype(np.int32) for side in (np.maximum, np.minimum))
    for kind, (period, starts) in enumerate(RUNS.values()):
        if length % period == 0:
            begins = (np.arange(0, length, period)[:, None] + starts).reshape(-1)
            up, down = (np.add.reduceat(side, begins, axis=1) for side in (positive, negative))
            fits = (up * 127 - down * 128 < 1 << 15) & (down * 127 - up * 128 > -(1 << 15))
            kinds[fits.all(1)] = kind
    return kinds


def _window(node: Conv2D, output: Value, fields: str, context: Context) -> str:
    """Name of an er_sc_window; ``output``: of the convolution, or of the maximum behind it."""
    numbers = [
        *node.input.shape[1:],
        *(*node.kernel, *node.stride, *node.dilation),
        *(node.padding.top, node.padding.left, output.shape[2], output.shape[1] * output.shape[2]),
        node.input.zero_point,
    ]
    return context.struct("window", "er_sc_window", initializer([fields, *numbers]))
