"""Builds TFLite files operator by operator, for tests that need an exact shape, scale or fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization
from edgerig.micro.ir import RECORDS


@dataclass
class _Subgraph:
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


class TfliteBuilder:
    """Collects tensors and operators; `build` returns the file (schema.fbs of TensorFlow Lite, version 3).

    >>> net = TfliteBuilder()
    >>> x, y = net.tensor("x", (1, 4), "int8", scale=0.5), net.tensor("y", (1, 4), "int8", scale=0.5)
    >>> net.operator("RELU", [x], [y])
    >>> data = net.build([x], [y])
    """

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._buffers = [schema.BufferT()]
        self._codes: list[Any] = []
        self._graphs = [_Subgraph()]
        self._current = 0

    def subgraph(self) -> int:
        """Begin another subgraph, to which everything that follows is added. Returns its index."""
        self._graphs.append(_Subgraph())
        self._current = len(self._graphs) - 1
        return self._current

    def main(self) -> None:
        """Return to the main subgraph."""
        self._current = 0

    def ends(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Set the inputs and outputs of the current subgraph, which is not the main one."""
        graph = self._graphs[self._current]
        graph.inputs, graph.outputs = list(inputs), list(outputs)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        data: NDArray[Any] | None = None,
        scale: float | Sequence[float] | None = None,
        zero_point: int | Sequence[int] = 0,
        axis: int = 0,
        *,
        variable: bool = False,
    ) -> int:
        """A tensor; ``data`` makes it constant; several scales, with one zero point or as many, are along ``axis``;
        ``variable`` keeps it from one inference to the next.

        Returns its index.
        """
        schema = self._schema
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name.encode(), [int(size) for size in shape], 0
        tensor.type, tensor.isVariable = getattr(schema.TensorType, dtype.upper()), variable
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
            self._buffers.append(buffer)
            tensor.buffer = len(self._buffers) - 1
        if scale is not None:
            scales = [scale] if isinstance(scale, int | float) else list(scale)
            parameters = schema.QuantizationParametersT()
            parameters.scale = scales
            parameters.zeroPoint = [zero_point] * len(scales) if isinstance(zero_point, int) else list(zero_point)
            parameters.quantizedDimension = axis
            tensor.quantization = parameters
        graph = self._graphs[self._current]
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    def copy_quantization(self, source: int, target: int) -> None:
        """Give a tensor of the current subgraph the scales and zero points of another."""
        tensors = self._graphs[self._current].tensors
        tensors[target].quantization = tensors[source].quantization

    def like(self, name: str, shape: Sequence[int], dtype: str, quantization: Quantization | None) -> int:
        """A tensor with the quantization of an IR value."""
        if quantization is None:
            return self.tensor(name, shape, dtype)
        return self.tensor(
            name, shape, dtype, None, quantization.scales, quantization.zero_points, quantization.axis or 0
        )

    def operator(
        self, op: str, inputs: Sequence[int], outputs: Sequence[int], kind: str | None = None, **options: Any
    ) -> None:
        """An operator by its name in the schema, with options (``kind`` is their table: ``Conv2DOptions``)."""
        schema = self._schema
        entry = schema.OperatorCodeT()
        code = getattr(schema.BuiltinOperator, op)
        version = RECORDS[op].version if op in RECORDS else 1
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), version
        self._codes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._codes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if kind is not None:
            table = getattr(schema, kind + "T")()
            for key, value in options.items():
                if not hasattr(table, key):
                    raise AttributeError(f"{kind} has no {key}")
                setattr(table, key, value)
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = table
        self._graphs[self._current].operators.append(operator)

    def intermediates(self, tensors: Sequence[int]) -> None:
        """Tensors that say how the last operator quantizes what it computes within."""
        self._graphs[self._current].operators[-1].intermediates = list(tensors)

    def custom(self, code: str, inputs: Sequence[int], outputs: Sequence[int], options: bytes) -> None:
        """An operator that the schema does not have, by its name, with options as a flexbuffer."""
        schema = self._schema
        entry = schema.OperatorCodeT()
        entry.builtinCode = entry.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        entry.customCode, entry.version = code.encode(), 1
        self._codes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._codes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.customOptions = np.frombuffer(options, np.uint8)
        self._graphs[self._current].operators.append(operator)

    def has_option(self, kind: str, key: str) -> bool:
        """Whether the options of that table have such a field."""
        return bool(kind) and hasattr(getattr(self._schema, kind + "T")(), key)

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file; inputs and outputs are those of the main subgraph."""
        import flatbuffers

        schema = self._schema
        self._graphs[0].inputs, self._graphs[0].outputs = list(inputs), list(outputs)
        graphs = []
        for index, content in enumerate(self._graphs):
            graph = schema.SubGraphT()
            graph.tensors, graph.operators, graph.name = content.tensors, content.operators, f"graph{index}".encode()
            graph.inputs, graph.outputs = content.inputs, content.outputs
            graphs.append(graph)
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs = 3, self._codes, graphs
        model.buffers, model.description = self._buffers, b"edgerig"
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def with_outputs(data: bytes, outputs: Sequence[int]) -> bytes:
    """The TFLite file ``data`` with other tensors of its main subgraph as outputs, to look inside a network."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    model.subgraphs[0].outputs = list(outputs)
    model.signatureDefs = None
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def as_old_writer(data: bytes) -> bytes:
    """The TFLite file ``data`` as converters wrote it before 2021: operator codes in the byte-sized field only, without
    signatures, names of subgraphs, description and metadata.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for code in model.operatorCodes:
        if code.deprecatedBuiltinCode != code.builtinCode:
            raise ValueError(f"operator code {code.builtinCode} is younger than such files")
        code.builtinCode = 0
    model.signatureDefs = model.description = model.metadata = model.metadataBuffer = None
    for graph in model.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            if tensor.buffer == 0:
                # Such converters gave each activation an empty buffer of its own.
                model.buffers.append(schema.BufferT())
                tensor.buffer = len(model.buffers) - 1
    return packed(model)


def packed(model: Any) -> bytes:
    """The bytes of a ``ModelT``, unchanged."""
    import flatbuffers

    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def counting_network(start: float = 0.0, *, filled: bool = True, size: int = 4) -> bytes:
    """A network with a state, which CALL_ONCE sets to ``start``: y = s + x, and then s is set to y. All float32.

    Args:
        start: What the state is at the beginning. filled: Whether the network says that at all.
        size: Values of x, s and y.
    """
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, size), "float32"), net.tensor("y", (1, size), "float32")
    held = [net.tensor("handle", (), "resource"), net.tensor("state", (1, size), "float32")]
    filling = net.subgraph()
    first, content = (
        net.tensor("handle", (), "resource"),
        net.tensor("start", (1, size), "float32", np.full((1, size), start)),
    )
    net.operator("VAR_HANDLE", [], [first], "VarHandleOptions", container="", sharedName="state")
    net.operator("ASSIGN_VARIABLE", [first, content], [], "AssignVariableOptions")
    net.main()
    if filled:
        net.operator("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=filling)
    net.operator("VAR_HANDLE", [], [held[0]], "VarHandleOptions", container="", sharedName="state")
    net.operator("READ_VARIABLE", [held[0]], [held[1]], "ReadVariableOptions")
    net.operator("ADD", [held[1], x], [y], "AddOptions")
    net.operator("ASSIGN_VARIABLE", [held[0], y], [], "AssignVariableOptions")
    return net.build([x], [y])
