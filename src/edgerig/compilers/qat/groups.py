"""Tensors of a quantized TFLite network that have one scale, because the operators between them only move numbers."""

from __future__ import annotations

from edgerig.compilers.scales import FIXED, SHARED
from edgerig.models.graph.types import Graph


def groups_of(graph: Graph) -> tuple[dict[int, int], frozenset[int]]:
    """The group of each int8 activation, and the groups whose scale cannot move.

    Such hold an input of the network, whose numbers training does not change, a constant, or what an operator writes
    with a scale of its own (softmax).
    """
    parents = {t.index: t.index for t in graph.tensors if t.dtype == "int8" and t.quantization is not None}

    def root(index: int) -> int:
        while parents[index] != index:
            index = parents[index]
        return index

    fixed = {index for index in parents if graph.tensors[index].constant} | (set(graph.inputs) & parents.keys())
    for operator in graph.operators:
        if operator.op in FIXED:
            fixed.update(index for index in operator.outputs if index in parents)
        if operator.op not in SHARED:
            continue
        places = SHARED[operator.op]
        inputs = operator.inputs if places is None else [operator.inputs[i] for i in places if i < len(operator.inputs)]
        outputs = operator.outputs[:1] if operator.op == "TOPK_V2" else operator.outputs
        sides = [index for index in (*inputs, *outputs) if index in parents]
        for other in sides[1:]:
            parents[root(other)] = root(sides[0])
    return {index: root(index) for index in parents}, frozenset(root(index) for index in fixed)
