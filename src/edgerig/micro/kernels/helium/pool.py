"""Maxima of int8 by Helium: 16 outputs of a 2x2 window take 43 instructions, where whole words take 286."""

from __future__ import annotations

from dataclasses import replace

from edgerig.micro.ir import MaxPool2D, Node
from edgerig.micro.kernels.access import by_groups, window_begins
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below
from edgerig.micro.kernels.cortex_m.elementwise.pool import MaxPool, pool_settings
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.scaling import NEEDS
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options

#: Channels of a vector.
_LANES = 16


class MaxPoolVectors(MaxPool):
    """Windows of any size, any number of channels."""

    name = "helium-max-pool"
    needs = NEEDS

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, MaxPool2D) or node.input.dtype != "int8":
            return False
        return sizes_below((*node.input.shape, *node.window, *node.stride), 1 << 15)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, MaxPool2D)
        pool = pool_settings(node, context)
        body = f"er_mve_max_pool(&{pool}, {context.read(node.input)}, {context.write(node.output)});"
        access = by_groups(node.output, node.input, window_begins(node), _LANES)
        return replace(
            calling(body, "er_mve_pool.h", "er_mve_pool.c", "er_mve_pool.S", "er_pool.h"), accesses=(access,)
        )
