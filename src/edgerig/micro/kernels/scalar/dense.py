"""int8 dense layers, and convolutions of a few pixels, without SIMD: four channels at a time, inputs where they lie.

Armv6-M takes 3.5 instructions a multiply-accumulate: it loads a weight, multiplies, and adds the product to a high
register.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.access import by_pixels, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.portable.geometry import is_pointwise
from edgerig.micro.kernels.refusals import Answer, exact, require
from edgerig.micro.kernels.scalar.cores import HERE, Core, in_blocks
from edgerig.micro.kernels.scalar.scaling import Scaling
from edgerig.micro.options import Options

#: Channels at a time.
BLOCK = 4
#: From so many pixels on pairs of them are faster.
_PAIRS = 3


class DensePixels(Kernel):
    """One or two vectors of inputs."""

    node = Weighted

    def __init__(self, core: Core) -> None:
        self.name, self.needs, self.core = f"{core.name}-dense", core.needs, core  # type: ignore[misc]

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Conv2D | FullyConnected) or not is_int8(node):
            return False
        pixels = node.output.elements // node.weights.shape[0]
        few = require(pixels < _PAIRS, f"{pixels} pixels, which are summed in pairs")
        lying = require(isinstance(node, FullyConnected) or is_pointwise(node), "windows that do not lie side by side")
        return few and lying and exact(self.core.scaling(node))

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        scaling, core = self.core.scaling(node), self.core
        assert isinstance(scaling, Scaling)
        matrix = node.weights.array.reshape(node.weights.shape[0], -1)
        blocks = in_blocks(matrix, BLOCK).view(np.uint8) ^ np.uint8(core.unsigned)
        weights = context.constant("weights", blocks.view(np.int8), stands_for=[node.weights])
        table, scale = scaling.table(context, node), f"er_sc_scale_{scaling.rounding}"
        fields = [weights, table, scale, *matrix.shape, core.unsigned, scaling.range()]
        layer = context.struct("dense", "er_sc_dense", initializer(fields))
        x, y = context.read(node.input), context.write(node.output)
        body = f"er_sc_dense_run(&{layer}, {x}, {y}, {node.output.elements // len(matrix)});"
        files = (HERE / "er_sc_dense.c", HERE / "er_sc_scale.c", *core.assembly)
        lowered = Lowered(body, files, ("er_sc_dense.h",))
        if isinstance(node, FullyConnected):
            return lowered
        return replace(lowered, accesses=(by_pixels(node.output, node.input, window_begins(node), mixed=True),))


def is_int8(node: Conv2D | FullyConnected) -> bool:
    """Inputs, weights and outputs."""
    return {value.dtype for value in (node.input, node.weights, node.output)} == {"int8"}
