"""State variables: what VAR_HANDLE, CALL_ONCE and the subgraph that sets initial values say about them."""

from __future__ import annotations

import numpy as np

from edgerig.errors import CompileError, ModelError
from edgerig.micro.frontend.tensors import quantization_of
from edgerig.micro.ir import Value
from edgerig.models.graph.tflite_file import read_tflite_network
from edgerig.models.graph.types import Graph, Operator, Tensor


class Variables:
    """The variables of a network by name.

    A variable that no CALL_ONCE sets starts with zeros (in quantized units: the zero point).
    """

    def __init__(self, data: bytes, name: str, graph: Graph) -> None:
        self._data, self._name = data, name
        self._initial: dict[str, tuple[Tensor, np.ndarray]] = {}
        self._values: dict[str, Value] = {}
        self._read: set[int] = set()

    def key(self, operator: Operator) -> str:
        """The name of the variable of a VAR_HANDLE."""
        return f"{operator.options.get('container') or ''}/{operator.options.get('shared_name') or ''}"

    def initialize(self, operator: Operator) -> None:
        """Read the initial values out of the subgraph that a CALL_ONCE names.

        Raises:
            ModelError: There is no such subgraph.
            CompileError: It does something else than to set variables to constants.
        """
        index = int(operator.options.get("init_subgraph_index") or 0)
        if index <= 0:
            raise ModelError(f"{self._name} is corrupt: CALL_ONCE calls the main graph.")
        if index in self._read:
            return
        self._read.add(index)
        graph, contents = read_tflite_network(self._data, self._name, index)
        handles: dict[int, str] = {}
        for inner in graph.operators:
            if inner.op == "VAR_HANDLE" and len(inner.outputs) == 1:
                handles[inner.outputs[0]] = self.key(inner)
            elif (
                inner.op == "ASSIGN_VARIABLE"
                and inner.inputs[:1]
                and inner.inputs[0] in handles
                and len(inner.inputs) == 2
            ):
                if inner.inputs[1] not in contents:
                    raise CompileError(f"The variable {handles[inner.inputs[0]]!r} does not start with a constant.")
                self._initial[handles[inner.inputs[0]]] = graph.tensors[inner.inputs[1]], contents[inner.inputs[1]]
            else:
                raise CompileError(
                    f"Subgraph {index}, which CALL_ONCE runs, uses {inner.op}.",
                    "It may only assign constants to variables.",
                )

    def value(self, key: str, tensor: Tensor) -> Value:
        """The variable ``key`` as a value like ``tensor``, by which it is read or set.

        Raises:
            ModelError: Shapes, types or scales of its uses differ.
        """
        known = self._values.get(key)
        if known is None:
            known = self._values[key] = self._make(key, tensor)
        if (known.shape, known.dtype, known.quantization) != (tensor.shape, tensor.dtype, quantization_of(tensor)):
            raise ModelError(f"{self._name} is corrupt: the variable {key!r} is used with different shapes or types.")
        return known

    def _make(self, key: str, tensor: Tensor) -> Value:
        quantization = quantization_of(tensor)
        if key in self._initial:
            like, data = self._initial[key]
            if (like.shape, like.dtype) != (tensor.shape, tensor.dtype):
                raise ModelError(f"{self._name} is corrupt: the variable {key!r} starts with another shape or type.")
        else:
            zero = quantization.zero_point if quantization else 0
            data = np.full(tensor.shape, zero, tensor.dtype)
        return Value(key.strip("/") or "state", tensor.shape, tensor.dtype, quantization, np.array(data), True)
