"""Pooling of int8 by Helium.

Maxima: 16 outputs of a 2x2 window take 43 instructions, where whole words take 286. Means: 8 pixels of 8 channels 67.
"""

from __future__ import annotations

from dataclasses import replace

from edgerig.micro.ir import AveragePool2D, MaxPool2D, Node, Pool2D, Value
from edgerig.micro.kernels.access import by_groups, window_begins
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below
from edgerig.micro.kernels.cortex_m.elementwise.pool import AveragePool, MaxPool, means_fit, pool_settings
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.scaling import NEEDS
from edgerig.micro.kernels.layouts import PLAIN
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
        return _lower(node, "er_mve_pool_maximum", _LANES, context)


class AveragePoolVectors(AveragePool):
    """Windows of at most 255 pixels, any number of channels."""

    name = "helium-average-pool"
    needs = NEEDS

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, AveragePool2D) or node.input.dtype != "int8":
            return False
        return sizes_below((*node.input.shape, *node.window, *node.stride), 1 << 15) and means_fit(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, AveragePool2D)
        return _lower(node, "er_mve_pool_mean", _LANES // 2, context)

    def reads(self, node: Node, value: Value) -> tuple[str, ...]:
        return (PLAIN,)


def _lower(node: Pool2D, run: str, lanes: int, context: Context) -> Lowered:
    pool, x, y = pool_settings(node, context), context.read(node.input), context.write(node.output)
    body = f"er_mve_pool_windows(&{pool}, {run}, {x}, {y});"
    access = by_groups(node.output, node.input, window_begins(node), lanes)
    return replace(calling(body, "er_mve_pool.h", "er_mve_pool.c", "er_mve_pool.S", "er_pool.h"), accesses=(access,))
