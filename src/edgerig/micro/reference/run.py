"""Nodes and whole programs on numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgerig.errors import CompileError
from edgerig.micro import ir
from edgerig.micro.ir import Node, Program, Value
from edgerig.micro.reference import (
    convolution,
    detection,
    elementwise,
    lstm,
    pooling,
    recurrent,
    resize,
    shapes,
    softmax,
)
from edgerig.micro.reference.operation import Array, Operation

_OPERATIONS: dict[type[Node], Operation] = {
    kind: operation
    for family in (convolution, pooling, elementwise, softmax, resize, shapes, recurrent, lstm, detection)
    for kind, operation in family.OPERATIONS.items()
}


def operations() -> frozenset[type[Node]]:
    """The classes of nodes that have a reference; that of ASSIGN_VARIABLE is `Machine.run`, which has the state."""
    return frozenset({*_OPERATIONS, ir.AssignVariable})


def run_node(node: Node, inputs: list[Array]) -> list[Array]:
    """The outputs of a node for the content of all its inputs, constants included.

    Raises:
        CompileError: There is no reference for such a node.
    """
    if isinstance(node, ir.Fused):
        known = dict(zip(node.inputs, inputs, strict=True))
        for part in node.parts:
            results = run_node(part, [known[value] for value in part.inputs])
            known.update(zip(part.outputs, results, strict=True))
        return [known[value] for value in node.outputs]
    operation = _OPERATIONS.get(type(node))
    if operation is None:
        raise CompileError(f"There is no reference for {node.where()}.")
    return operation(node, inputs)


class Machine:
    """Runs a program in numpy, with its state."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.state: dict[Value, Array] = {}
        self.reset()

    def reset(self) -> None:
        """State variables to their initial values."""
        self.state = {value: np.array(value.data) for value in self.program.variables()}

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One inference; arrays of the inputs' shapes and dtypes."""
        known = dict(zip(self.program.inputs, inputs, strict=True))
        for node in self.program.nodes:
            contents = [self._content(value, known) for value in node.inputs]
            if isinstance(node, ir.AssignVariable):
                self.state[node.inputs[0]] = np.array(contents[1])
                continue
            for value, content in zip(node.outputs, run_node(node, contents), strict=True):
                assert (content.shape, content.dtype.name) == (value.shape, value.dtype), node.where()
                known[value] = content
            if isinstance(node, ir.ShiftState):
                self.state[node.inputs[0]] = known[node.output]
        return [self._content(value, known) for value in self.program.outputs]

    def _content(self, value: Value, known: dict[Value, Array]) -> Array:
        if value.variable:
            return self.state[value]
        return value.array if value.constant else known[value]
