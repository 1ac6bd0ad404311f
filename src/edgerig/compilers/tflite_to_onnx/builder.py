"""The ONNX graph under construction: nodes, constants, and each tensor in one layout or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.models.graph.types import Graph, Operator, Tensor

Array = NDArray[Any]

#: The channels-first axis of each axis of TFLite's layout, and the permutations between them.
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
AXIS_IN_FIRST = (0, 2, 3, 1)


class UnsupportedError(Exception):
    """A form of an operator that cannot be exported; holds the reason."""


class Builder:
    """Values by TFLite tensor index and layout. ``first`` means channels first; only images (rank 4) have both."""

    def __init__(self, graph: Graph, weights: Mapping[int, Array]) -> None:
        self.graph, self.weights = graph, weights
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {}
        self.scope = ""
        self._values: dict[tuple[int, bool], str] = {}
        self._made_first: set[int] = set()
        self._permuted: dict[tuple[int, tuple[int, ...] | None, tuple[int, ...] | None], str] = {}
        self._taken: set[str] = set()

    # ---- tensors

    def tensor(self, index: int) -> Tensor:
        """The TFLite tensor."""
        return self.graph.tensors[index]

    def shape(self, index: int) -> tuple[int, ...]:
        """Its shape in TFLite's layout."""
        return self.graph.tensors[index].shape

    def is_constant(self, index: int) -> bool:
        """Whether its content is stored in the file."""
        return index in self.weights

    def content(self, index: int, what: str) -> Array:
        """The content of a tensor that must be a constant.

        Raises:
            UnsupportedError: It is computed.
        """
        if index not in self.weights:
            raise UnsupportedError(f"its {what} is computed, not constant")
        return self.weights[index]

    def made_first(self, index: int) -> bool:
        """Whether the tensor was produced channels first."""
        return index in self._made_first

    def get(self, index: int, first: bool = False) -> str:
        """The name of the tensor's value in a layout; a Transpose is added if it only exists in the other one."""
        if index in self.weights:
            return self.permuted(index, TO_FIRST if first else None)
        value = self._values.get((index, first))
        if value is not None:
            return value
        other = self._values.get((index, not first))
        if other is None:
            raise UnsupportedError(f"its input {self.tensor(index).name!r} is computed by nobody")
        name = self.node("Transpose", [other], perm=TO_FIRST if first else TO_LAST)
        self._values[index, first] = name
        return name

    def get_flat(self, index: int) -> str:
        """A value with its elements in TFLite's order, of any shape: for callers that reshape it anyway."""
        shape = self.shape(index)
        # With one pixel or one channel both layouts are equal in memory, and no Transpose is needed.
        alike = len(shape) == 4 and (shape[1] * shape[2] == 1 or shape[3] == 1)
        return self.get(index, first=alike and self.made_first(index))

    def put(self, index: int, name: str, first: bool = False) -> None:
        """Register the name and the layout in which a tensor was produced."""
        self._values[index, first] = name
        if first:
            self._made_first.add(index)

    def permuted(self, index: int, axes: tuple[int, ...] | None = None, shape: tuple[int, ...] | None = None) -> str:
        """A tensor reshaped, then transposed: a constant at export time, any other one by nodes."""
        key = (index, axes, shape)
        if key not in self._permuted:
            name = self.tensor(index).name or f"tensor_{index}"
            if index in self.weights:
                array = self.weights[index]
                array = array if shape is None else array.reshape(shape)
                self._permuted[key] = self.constant(array if axes is None else array.transpose(axes), name)
            else:
                value = self.get(index)
                value = value if shape is None else self.reshape(value, shape)
                self._permuted[key] = value if axes is None else self.node("Transpose", [value], perm=axes)
        return self._permuted[key]

    # ---- nodes

    def node(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        return self.nodes_outputs(op, inputs, 1, **attributes)[0]

    def nodes_outputs(self, op: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Add a node with ``count`` outputs; returns their names."""
        from onnx import helper

        outputs = [self.unique(f"{self.scope}/{op}") for _ in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=outputs[0], **attributes))
        return outputs

    def constant(self, array: Array, name: str = "constant") -> str:
        """Add a constant; returns its name."""
        name = self.unique(name)
        # Unlike `numpy.ascontiguousarray`, which makes a vector of a number.
        self.initializers[name] = np.asarray(array, order="C")
        return name

    def integers(self, values: Sequence[int], name: str = "shape") -> str:
        """Add an int64 vector, ONNX's type of shapes and axes."""
        return self.constant(np.array(values, np.int64), f"{self.scope}/{name}")

    def number(self, value: float) -> str:
        """Add a float32 scalar."""
        return self.constant(np.array(value, np.float32), f"{self.scope}/number")

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """Add a Reshape to a fixed shape."""
        return self.node("Reshape", [value, self.integers(shape)])

    def unique(self, name: str) -> str:
        """``name``, with a number appended if it is in use."""
        base, number = name or "value", 1
        name = base
        while name in self._taken:
            name = f"{base}_{number}"
            number += 1
        self._taken.add(name)
        return name

    # ---- shared by many rules

    def finish(self, operator: Operator, name: str, first: bool = False) -> None:
        """Apply the operator's fused activation to ``name`` and make that its first output."""
        self.put(operator.outputs[0], self.activation(operator, name), first)

    def activation(self, operator: Operator, name: str) -> str:
        """The fused activation of an operator on the value ``name``."""
        kind = operator.options.get("fused_activation_function", "NONE")
        if kind == "NONE":
            return name
        if kind == "RELU":
            return self.node("Relu", [name])
        if kind in CLIPS:
            return self.node("Clip", [name, *map(self.number, CLIPS[kind])])
        if kind == "TANH":
            return self.node("Tanh", [name])
        raise UnsupportedError(f"its fused activation is {kind}")

    def prefers_first(self, indices: Sequence[int]) -> bool:
        """Whether to compute on these tensors channels first: one of them is so, and all can be."""
        dynamic = [index for index in indices if not self.is_constant(index)]
        return any(map(self.made_first, dynamic)) and all(len(self.shape(index)) == 4 for index in dynamic)

    def aligned(self, index: int, first: bool) -> str:
        """A tensor to be broadcast against images in the given layout."""
        if not first or len(self.shape(index)) == 4:
            return self.get(index, first)
        # Only constants get here; broadcasting aligns the last axes, so ones are prepended.
        missing = 4 - len(self.shape(index))
        return self.permuted(index, TO_FIRST, (1,) * missing + self.shape(index))


CLIPS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


def axis_of(axis: int, rank: int, first: bool) -> int:
    """An axis of TFLite's layout, possibly negative, in the given layout."""
    axis += rank if axis < 0 else 0
    return AXIS_IN_FIRST[axis] if first else axis
