"""A layer cut out of its file, so that it can be run on inputs of our own."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from edgerig.compilers import flatbuffer
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.types import Graph


def inputs_of(graph: Graph, operators: Collection[int]) -> list[int]:
    """The tensors that a group of operators reads and does not make: what it computes from.

    In ONNX's QDQ form they are followed back to where they are quantized, which then is a part of the group.
    """
    constants = constant_tensors(graph)
    members = [graph.operators[index] for index in sorted(operators)]
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    produced = {output for operator in members for output in operator.outputs}
    needed: list[int] = []
    for operator in members:
        for index in operator.inputs:
            source = index
            while (maker := makers.get(source)) is not None and maker.op in ("DequantizeLinear", "QuantizeLinear"):
                source = maker.inputs[0]
            if source >= 0 and source not in constants and source not in produced and source not in needed:
                needed.append(source)
    return needed


def with_unpacking(graph: Graph, operators: Collection[int]) -> list[int]:
    """A group of operators and those that unpack its weights, such as DEQUANTIZE of float16, in order."""
    constants = constant_tensors(graph)
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    members, pending = {*operators}, list(operators)
    for index in pending:
        for tensor in graph.operators[index].inputs:
            maker = makers.get(tensor) if tensor in constants else None
            if maker is not None and maker.index not in members:
                members.add(maker.index)
                pending.append(maker.index)
    return sorted(members)


class TfliteCutter:
    """Cuts layers out of a TFLite file; tensors keep their indices."""

    def __init__(self, data: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._empty = schema.BufferT()
        self._model = flatbuffer.unpack(data)

    def cut(self, operators: Sequence[int], inputs: Sequence[int], *outputs: int) -> bytes:
        """A file with these operators alone, by index; its inputs and its outputs are the given tensors."""
        model = copy.copy(self._model)
        graph = copy.copy(model.subgraphs[0])
        graph.operators = [graph.operators[index] for index in sorted(operators)]
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        used = {int(i) for operator in graph.operators for i in (*operator.inputs, *operator.outputs) if i >= 0}
        # Bodies of loops and branches are subgraphs of their own, which keep all that they have.
        bodies = [tensor.buffer for body in model.subgraphs[1:] for tensor in body.tensors or []]
        needed = {0, *(graph.tensors[index].buffer for index in used), *bodies}
        model.buffers = [
            buffer if number in needed else self._empty for number, buffer in enumerate(self._model.buffers)
        ]
        model.subgraphs = [graph, *model.subgraphs[1:]]
        model.signatureDefs = model.metadata = None
        return flatbuffer.pack(model)


def cut_onnx(data: bytes, inputs: Sequence[str], *outputs: str, file: str) -> bytes:
    """The part of an ONNX file from the tensors ``inputs`` to ``outputs``."""
    from onnx.utils import Extractor

    from edgerig.models.graph.onnx_load import load_onnx
    from edgerig.models.graph.onnx_shapes import inferred

    model: Any = inferred(load_onnx(data, Path(file)))
    return bytes(Extractor(model).extract_model(list(inputs), list(outputs)).SerializeToString())
