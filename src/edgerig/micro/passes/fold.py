"""Compute when compiling what depends on constants only: shape arithmetic, weights stored in another type."""

from __future__ import annotations

from edgerig.micro.arithmetic.constants import fold_node
from edgerig.micro.ir import Program


def fold(program: Program) -> None:
    """Fold every node that can be; those behind them may follow."""
    program.nodes = [node for node in program.nodes if not fold_node(node)]
