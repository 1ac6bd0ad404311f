"""Remove nodes whose results are not used."""

from __future__ import annotations

from edgerig.micro.ir import AssignVariable, Program, ShiftState


def drop_unused(program: Program) -> None:
    """Keep what leads to an output or changes a variable."""
    needed = set(program.outputs)
    remaining = []
    for node in reversed(program.nodes):
        if isinstance(node, AssignVariable | ShiftState) or any(value in needed for value in node.outputs):
            needed.update(node.inputs)
            remaining.append(node)
    program.nodes = remaining[::-1]
