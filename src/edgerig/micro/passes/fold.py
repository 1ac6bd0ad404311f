"""Compute when compiling what depends on constants only: shape arithmetic, weights stored in another type."""

from __future__ import annotations

import numpy as np

from edgerig.micro import ir
from edgerig.micro.emit.weights import check_size
from edgerig.micro.ir import Node, Program
from edgerig.micro.reference import run_node

#: More elements are not made a constant of: they are cheaper to compute than to keep, and no weights.
LARGEST = 1 << 22


def fold_node(node: Node) -> bool:
    """Turn the outputs of ``node`` into constants, if they can be known now."""
    if isinstance(node, ir.ReadVariable | ir.AssignVariable):
        return False
    if not isinstance(node, ir.Shape) and not all(value.constant for value in node.inputs):
        return False
    # Weights that are stored in another type are needed as weights, however many they are.
    if not isinstance(node, ir.Dequantize) and any(value.elements > LARGEST for value in node.outputs):
        return False
    check_size(sum(value.nbytes for value in node.outputs), node.where())
    inputs = [value.array if value.constant else np.empty(0) for value in node.inputs]
    for value, made in zip(node.outputs, run_node(node, inputs), strict=True):
        value.data = made
    return True


def fold(program: Program) -> None:
    """Fold every node that can be; those behind them may follow."""
    program.nodes = [node for node in program.nodes if not fold_node(node)]
