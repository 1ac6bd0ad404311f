"""Ensembles of decision trees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.trees import TreeEnsemble
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, struct

_AGGREGATES = {"SUM": 0, "AVERAGE": 0, "MIN": 1, "MAX": 2}
_BINARY = {"no": 0, "share": 1, "sign": 2}


class TreesKernel(Portable):
    """Trees of two words a node, features as integers of their order."""

    name = "portable-trees"
    node = TreeEnsemble
    types = (("float32", "float32"),)
    source = "micro_trees"
    supports = "float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, TreeEnsemble)
        several = len(node.base) > 1
        text = struct(
            features=node.input.elements,
            trees=len(node.roots),
            sums=len(node.base),
            aggregate=_AGGREGATES[node.aggregate],
            binary=_BINARY[node.binary],
            divisor=float(len(node.roots)) if node.aggregate == "AVERAGE" else 1.0,
            nodes=context.constant("nodes", _words(node)),
            roots=context.constant("roots", node.roots.astype(np.uint32)),
            ids=context.constant("ids", node.ids.astype(np.uint8)) if several else "0",
            weights=context.constant("weights", node.weights) if several else "0",
            base=context.constant("base", node.base),
            labels=context.constant("labels", np.array(node.labels, np.int64)) if len(node.outputs) > 1 else "0",
        )
        settings = context.struct("trees", "micro_trees", text)
        x, keys = context.read(node.input), context.scratch(4 * node.input.elements, "int32_t")
        results = [context.write(value) for value in node.outputs] + ["0"]
        return self.lowered(f"micro_trees_run(&{settings}, {x}, {keys}, {results[0]}, {results[1]});")


def _words(node: TreeEnsemble) -> NDArray[Any]:
    """Two words a node, as micro_trees.h has them."""
    leaf = node.jumps == 0
    first = np.where(leaf, node.leaf_starts, node.keys).astype(np.int32)
    if len(node.base) == 1:
        weights = np.append(node.weights, np.float32(0))
        own = weights[np.where(node.leaf_counts > 0, node.leaf_starts, len(node.weights))]
        first = np.where(leaf, own.astype(np.float32).view(np.int32), first)
    branch = node.jumps.astype(np.uint32) << 16 | node.missing.astype(np.uint32) << 15 | node.features.astype(np.uint32)
    second = np.where(leaf, node.leaf_counts.astype(np.uint32), branch).astype(np.uint32).view(np.int32)
    return np.stack([first, second], 1).astype(np.int32)
