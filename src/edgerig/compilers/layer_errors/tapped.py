"""A network whose tensors between layers are outputs, so that any device that runs it gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgerig.compilers.layer_errors.groups import LayerGroup
from edgerig.compilers.layer_errors.isolate import TfliteCutter, cut_onnx
from edgerig.compilers.layer_errors.match import Match, TensorMatcher
from edgerig.models.graph.types import Graph


def compared_tensors(graph: Graph, reference: Graph, groups: Sequence[LayerGroup]) -> list[int]:
    """The tensors of ``graph`` whose values tell the errors of its layers, by index, its outputs left out."""
    matcher = TensorMatcher(graph, reference)
    matches = [matcher.output_of(group.operators) for group in groups]
    return sorted({match.deployed for match in matches if isinstance(match, Match)} - {*graph.outputs})


def tapped_file(data: bytes, graph: Graph, tensors: Sequence[int]) -> bytes:
    """The same network with ``tensors``, by index, behind its own outputs; no operator is left out.

    Raises:
        Exception: Libraries refuse a network with errors of many classes.
    """
    outputs = [*graph.outputs, *tensors]
    if graph.format == "tflite":
        everything = [operator.index for operator in graph.operators]
        return TfliteCutter(data).cut(everything, graph.inputs, *outputs)
    inputs, names = ([graph.tensors[index].name for index in indices] for indices in (graph.inputs, outputs))
    return cut_onnx(data, inputs, *names, file=str(Path(graph.name).with_suffix(".onnx")))


def nbytes(graph: Graph, tensors: Sequence[int]) -> int:
    """Bytes of the values of ``tensors`` in one inference."""
    return sum(graph.tensors[index].nbytes for index in tensors)
