"""From a TFLite file to the typed representation: everything is checked here, so that nothing behind it must."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError, ModelError
from edgerig.files import sha256
from edgerig.micro.arithmetic.constants import fold_node
from edgerig.micro.frontend.build import SUPPORTED, build, name_of, unsupported
from edgerig.micro.frontend.tensors import quantization_of
from edgerig.micro.frontend.unsigned import as_signed, doors, is_unsigned, mark, take_off_zero_points
from edgerig.micro.frontend.variables import Variables
from edgerig.micro.ir import Program, Value
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.limits import check_size
from edgerig.models.graph.tflite_file import read_tflite_network
from edgerig.models.graph.types import Operator, Tensor

#: Elements of one tensor; more fit on no microcontroller, and offsets are 32-bit.
LARGEST = 1 << 28

DTYPES = frozenset({"int4", "float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"})


def read_program(data: bytes, name: str) -> Program:
    """The network in the TFLite file with the content ``data``; ``name`` is how messages call it.

    Shapes known when compiling (SHAPE, PACK, STRIDED_SLICE of them) are computed here, for what follows needs them.

    Raises:
        ModelError: It is no TFLite file, or is corrupt, or its graph is cyclic or unconnected.
        CompileError: It uses an operator, a type or an option that the compiler does not know; names it, its
            position and what would be known.
    """
    return _Reader(data, name).program()


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name
        self.graph, self.contents = read_tflite_network(data, name)
        check_size(sum(tensor.nbytes for tensor in self.graph.tensors if tensor.constant), name)
        self.variables = Variables(data, name, self.graph)
        self.values: dict[int, Value] = {}
        self.handles: dict[int, str] = {}
        self.unsigned = False

    def program(self) -> Program:
        self._check_operators()
        self.unsigned = is_unsigned(self.graph, self.name)
        inputs = [self._new(index, "input") for index in self._distinct(self.graph.inputs)]
        nodes = []
        for operator in self.graph.operators:
            reader = self._record(operator)
            if reader is None:
                continue
            if self.unsigned:
                take_off_zero_points(reader)
            node = build(reader)
            if self.unsigned:
                mark(node)
            if not fold_node(node):
                nodes.append(node)
        outputs = [self._get(index, "an output of the network") for index in self.graph.outputs]
        for what, value in (*(("input", value) for value in inputs), *(("output", value) for value in outputs)):
            if value.per_channel:
                raise CompileError(
                    f"The {what} {value.name!r} of {self.name} has a scale for each channel.",
                    "Inputs and outputs are quantized as a whole in C: quantize the network again.",
                )
        program = Program(self.name, sha256(self.data), nodes, inputs, outputs)
        if self.unsigned:
            ends = (*self.graph.inputs, *self.graph.outputs)
            doors(program, [self.values[index] for index in ends if self._tensor(index).dtype == "uint8"])
        return program

    def _check_operators(self) -> None:
        """All that is missing in one message, before anything else."""
        missing = [reason for operator in self.graph.operators if (reason := unsupported(operator))]
        if missing:
            shown = "; ".join(missing[:8]) + (f"; and {len(missing) - 8} more" if len(missing) > 8 else "")
            raise CompileError(
                f"{self.name} cannot be compiled to C: {shown}.", f"Supported operators: {', '.join(SUPPORTED)}."
            )

    def _record(self, operator: Operator) -> OperatorReader | None:
        """The operator with its values; None where nothing is left of it."""
        if operator.op == "CALL_ONCE":
            self.variables.initialize(operator)
            return None
        if operator.op == "VAR_HANDLE":
            self.handles[self._only(operator.outputs, operator)] = self.variables.key(operator)
            return None
        where = f"operator {operator.index} ({operator.op}, {operator.name})"
        inputs: list[Value | None] = []
        for position, index in enumerate(operator.inputs):
            if position == 0 and operator.op in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
                inputs.append(self._state(operator, index, where))
            else:
                inputs.append(None if index < 0 else self._get(index, where))
        # An operator of which only some outputs are used may leave others out.
        if any(index < 0 for index in operator.outputs):
            raise self._corrupt(f"{where} leaves out an output")
        outputs = [self._new(index, where) for index in operator.outputs]
        within = [None if index < 0 else _value(self._tensor(index), None) for index in operator.intermediates]
        op = name_of(operator)
        return OperatorReader(op, operator.name, operator.index, inputs, outputs, operator.options, within)

    def _state(self, operator: Operator, index: int, where: str) -> Value:
        if index not in self.handles:
            raise self._corrupt(f"{where} uses a variable that nothing makes")
        sources = operator.outputs[:1] if operator.op == "READ_VARIABLE" else operator.inputs[1:2]
        return self.variables.value(self.handles[index], self._tensor(self._only(sources, operator)))

    def _get(self, index: int, where: str) -> Value:
        tensor = self._tensor(index)
        known = self.values.get(index)
        if known is None:
            if tensor.variable and not tensor.constant:
                return self._kept(tensor)
            if not tensor.constant:
                raise self._corrupt(
                    f"{where} reads tensor {index} ({tensor.name}) before anything makes it; "
                    "the graph is cyclic or unconnected"
                )
            known = self.values[index] = self._made(tensor, np.asarray(self.contents[index]))
        return known

    def _kept(self, tensor: Tensor) -> Value:
        """The state of one operator, which starts with zeros (in quantized units: the zero point)."""
        value = self.values[tensor.index] = self._made(tensor, None)
        zero = value.zero_point if value.quantized else 0
        value.data, value.variable = np.full(tensor.shape, zero, value.dtype), True
        return value

    def _new(self, index: int, where: str) -> Value:
        tensor = self._tensor(index)
        if index in self.values or tensor.constant:
            raise self._corrupt(f"{where} makes tensor {index} ({tensor.name}) that is already there")
        if tensor.elements == 0:
            raise CompileError(f"Tensor {index} ({tensor.name}) of {self.name} is empty: {list(tensor.shape)}.")
        self.values[index] = self._made(tensor, None)
        return self.values[index]

    def _made(self, tensor: Tensor, data: NDArray[Any] | None) -> Value:
        value = _value(tensor, data)
        return as_signed(value) if self.unsigned else value

    def _tensor(self, index: int) -> Tensor:
        tensor = self.graph.tensors[index]
        if tensor.dtype not in DTYPES:
            raise CompileError(
                f"Tensor {index} ({tensor.name}) of {self.name} has the type {tensor.dtype}.",
                f"Supported types: {', '.join(sorted(DTYPES))}.",
            )
        if tensor.elements > LARGEST:
            raise CompileError(
                f"Tensor {index} ({tensor.name}) of {self.name} is too big: {list(tensor.shape)}.",
                "No microcontroller holds it; make the network smaller.",
            )
        return tensor

    def _distinct(self, indices: tuple[int, ...]) -> tuple[int, ...]:
        if not indices or len(set(indices)) != len(indices):
            raise self._corrupt("its inputs are missing or named twice")
        return indices

    def _only(self, indices: tuple[int, ...], operator: Operator) -> int:
        if len(indices) != 1 or indices[0] < 0:
            raise self._corrupt(f"operator {operator.index} ({operator.op}) needs one tensor and has {len(indices)}")
        return indices[0]

    def _corrupt(self, why: str) -> ModelError:
        return ModelError(f"{self.name} is corrupt: {why}.", "Was it copied whole? Make or fetch it again.")


def _value(tensor: Tensor, data: NDArray[Any] | None) -> Value:
    name, packed = tensor.name or f"tensor {tensor.index}", tensor.dtype == "int4"
    if packed and data is None:
        raise CompileError(f"Tensor {tensor.index} ({name}) is int4 and no constant.", "Only weights may be of 4 bits.")
    dtype = "int8" if packed else tensor.dtype
    return Value(name, tensor.shape, dtype, quantization_of(tensor), data, packed=packed)
