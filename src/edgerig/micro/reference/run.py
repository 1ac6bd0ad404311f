"""Nodes and whole programs on numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro import ir
from edgerig.micro.ir import Node, Program, Value
from edgerig.micro.reference import convolution, elementwise, pooling, resize, shapes, softmax

Array = NDArray[Any]
#: Takes a node and the content of its inputs, returns the content of its outputs.
Operation = Callable[[Any, list[Array]], list[Array]]

_OPERATIONS: dict[type[Node], Operation] = {
    ir.Conv2D: convolution.convolution,
    ir.DepthwiseConv2D: convolution.depthwise,
    ir.TransposeConv: convolution.transposed,
    ir.FullyConnected: convolution.dense,
    ir.BatchMatMul: convolution.batch_matmul,
    ir.MaxPool2D: pooling.maximum,
    ir.AveragePool2D: pooling.average,
    ir.Mean: pooling.mean,
    ir.Add: elementwise.add,
    ir.Sub: elementwise.subtract,
    ir.Mul: elementwise.multiply,
    ir.Relu: elementwise.table_or_function,
    ir.Logistic: elementwise.table_or_function,
    ir.Tanh: elementwise.table_or_function,
    ir.HardSwish: elementwise.table_or_function,
    ir.Quantize: elementwise.from_real,
    ir.Dequantize: elementwise.to_real,
    ir.Softmax: softmax.softmax,
    ir.Reshape: shapes.reshape,
    ir.Pad: shapes.pad,
    ir.Concatenation: shapes.concatenation,
    ir.Split: shapes.split,
    ir.Slice: shapes.cut,
    ir.Transpose: shapes.transpose,
    ir.BroadcastTo: shapes.broadcast_to,
    ir.Shape: shapes.shape,
    ir.Pack: shapes.pack,
    ir.ResizeNearest: resize.nearest,
    ir.ResizeBilinear: resize.bilinear,
    ir.Lookup: elementwise.table_or_function,
    ir.ShiftState: shapes.push,
    ir.ReadVariable: shapes.read_variable,
}


def run_node(node: Node, inputs: list[Array]) -> list[Array]:
    """The outputs of a node for the content of all its inputs, constants included.

    Raises:
        CompileError: There is no reference for such a node.
    """
    if isinstance(node, ir.Fused):
        known = dict(zip(node.inputs, inputs, strict=True))
        for part in node.parts:
            made = run_node(part, [known[value] for value in part.inputs])
            known.update(zip(part.outputs, made, strict=True))
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
            given = [self._content(value, known) for value in node.inputs]
            if isinstance(node, ir.AssignVariable):
                self.state[node.inputs[0]] = np.array(given[1])
                continue
            for value, made in zip(node.outputs, run_node(node, given), strict=True):
                assert (made.shape, made.dtype.name) == (value.shape, value.dtype), node.where()
                known[value] = made
            if isinstance(node, ir.ShiftState):
                self.state[node.inputs[0]] = known[node.output]
        return [self._content(value, known) for value in self.program.outputs]

    def _content(self, value: Value, known: dict[Value, Array]) -> Array:
        if value.variable:
            return self.state[value]
        return value.array if value.constant else known[value]
