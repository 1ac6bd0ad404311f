"""From the operators of a profile to those of the file, wherever that is certain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from edgerig.engine.layers.xnnpack import match_in_order
from edgerig.measure.kinds import Measurement
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.memory import UNPACKING, constant_tensors
from edgerig.models.graph.types import Graph, Operator
from edgerig.results.layers.types import Mapping

#: What ONNX Runtime's optimizer appends to the name of a node that it rewrites.
_REWRITTEN = re.compile(r"_(?:token_\d+|nchwc|mul|add)$")
_LITERT_ROW = re.compile(r"(Builtin|Delegate):(\d+)")

NO_NAME = "the engine's optimizer made it, and its name is of no node of the file"
NOT_IN_ORDER = (
    "the delegate's operators are not, one by one, those of the file: "
    "LiteRT adds up what is alike in several of its parts"
)


SEVERAL_IN_ONE = "it runs several operators of the file in one, and it is not certain which: {}"
#: Operators of a file that edgerig's C takes for one that it calls so.
_FAMILIES = {"CONV_2D": frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})}
#: Operators that C code needs no instruction for.
_NO_WORK = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


class MappedRow(msgspec.Struct, frozen=True):
    """The operator of the file that a row of a profile is, and how that is known; or why it is not.

    ``fused``: Further operators of the file that run in it, in order.
    """

    operator: int | None
    mapped: Mapping | None = None
    reason: str = ""
    fused: tuple[int, ...] = ()


def map_profile(layers: Sequence[LayerTime], graph: Graph) -> list[MappedRow]:
    """For each row of a profile the operator of ``graph`` that it is."""
    if layers and all(_LITERT_ROW.fullmatch(layer.name) for layer in layers):
        return _by_index(layers, graph)
    return _by_name(layers, graph)


def _by_name(layers: Sequence[LayerTime], graph: Graph) -> list[MappedRow]:
    """Rows that bear the name of a node or of its first output, as those of ONNX Runtime and of edgerig's own C."""
    counts = Counter(operator.name for operator in graph.operators)
    index = {operator.name: operator.index for operator in graph.operators if counts[operator.name] == 1}
    rows = []
    for layer in layers:
        name = layer.name
        while graph.format == "onnx" and name not in index and (shorter := _REWRITTEN.sub("", name)) != name:
            name = shorter
        rows.append(_named(index[name], layer.op, graph) if name in index else MappedRow(None, reason=NO_NAME))
    return rows


def _named(last: int, op: str, graph: Graph) -> MappedRow:
    """A row of the name of operator ``last``; edgerig's C joins the kinds of several that run in one by ``+``."""
    if graph.format == "onnx" or "+" not in op:
        return MappedRow(last, "name")
    constants = constant_tensors(graph)
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    fused: list[int] = []
    current = graph.operators[last]
    for kind in reversed(op.split("+")[:-1]):
        before = [makers[index] for index in current.inputs if index in makers and index not in constants]
        while len(before) == 1 and before[0].op in _NO_WORK:
            before = [makers[index] for index in before[0].inputs if index in makers and index not in constants]
        alike = [operator for operator in before if operator.op in _FAMILIES.get(kind, {kind})]
        if len(alike) != 1:
            return MappedRow(None, reason=SEVERAL_IN_ONE.format(op))
        (current,) = alike
        fused.append(current.index)
    return MappedRow(last, "name", fused=tuple(reversed(fused)))


def _by_index(layers: Sequence[LayerTime], graph: Graph) -> list[MappedRow]:
    """Rows of LiteRT: ``Builtin:7`` is operator 7 of the file; what a delegate ran between two of them has no index.

    A delegate that has several parts numbers each from 0, and LiteRT makes one row of those that have number and kind
    alike. So its rows are taken only if all of its operators have one.
    """
    rows = [MappedRow(None, reason=NOT_IN_ORDER)] * len(layers)
    anchors = _anchors(layers, graph)
    for row, index in anchors:
        rows[row] = MappedRow(index, "index")
    # A row of several operators has been called several times as often.
    if len({layer.time.n for layer in layers if isinstance(layer.time, Measurement)}) > 1:
        return rows
    if sorted(index for _, index in anchors) != [index for _, index in anchors]:
        return rows
    bounds = [(-1, -1), *anchors, (len(layers), len(graph.operators))]
    in_order: dict[int, int] = {}
    for (row, index), (next_row, next_index) in pairwise(bounds):
        between = _computed(graph, index + 1, next_index)
        matched = match_in_order([layer.op for layer in layers[row + 1 : next_row]], between)
        if matched is None:
            return rows
        in_order |= {row + 1 + position: operator for position, operator in enumerate(matched)}
    for row, operator in in_order.items():
        rows[row] = MappedRow(operator, "order")
    return rows


def _anchors(layers: Sequence[LayerTime], graph: Graph) -> list[tuple[int, int]]:
    """Row and operator where LiteRT tells the index, and the file has an operator of that kind there."""
    anchors = []
    for row, layer in enumerate(layers):
        match = _LITERT_ROW.fullmatch(layer.name)
        index = int(match[2]) if match and match[1] == "Builtin" else -1
        if 0 <= index < len(graph.operators) and graph.operators[index].op == layer.op:
            anchors.append((row, index))
    return anchors


def _computed(graph: Graph, start: int, end: int) -> list[Operator]:
    """Operators from ``start`` up to ``end``, without those that unpack weights: they run at loading."""
    constants = constant_tensors(graph)
    return [
        operator
        for operator in graph.operators[start:end]
        if not (operator.op in UNPACKING and all(index in constants for index in operator.inputs if index >= 0))
    ]
