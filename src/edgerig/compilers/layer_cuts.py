"""A network cut off after each of its layers: files whose times differ by what one layer takes.

A cut holds all operators of the file up to a layer, in the file's order, and gives every tensor that an operator behind
the cut still needs. So the work of two neighbouring cuts differs by exactly the operators between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from edgerig.compilers.layer_errors.isolate import TfliteCutter, cut_onnx, with_unpacking
from edgerig.errors import IncompatibleError
from edgerig.measure.layer_key import LayerKey
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.types import Graph, Operator

#: Formats that can be cut.
FORMATS = ("tflite", "onnx")
#: ONNX's form of quantization: an engine runs an operator in integers only with these around it, so that a cut never
#: stands between them.
_QUANTIZES, _DEQUANTIZES = "QuantizeLinear", "DequantizeLinear"


class Cut(msgspec.Struct, frozen=True):
    """A network up to and including a stretch of operators of one layer.

    Attributes:
        key: The layer. ``operators``: The stretch, by index in the file: what the cut has more than the one before.
        prefix: All operators of the cut, in order. ``outputs``: Tensors that it gives.
    """

    key: LayerKey
    operators: tuple[int, ...]
    prefix: tuple[int, ...]
    outputs: tuple[int, ...]


def cuts_of(graph: Graph, keys: Mapping[int, LayerKey]) -> list[Cut]:
    """A cut behind each stretch of operators of one layer, in the file's order; the last is the whole network.

    Args:
        keys: The layer of each operator, by its index.

    Raises:
        IncompatibleError: Files of this format are not cut.
    """
    if graph.format not in FORMATS:
        raise IncompatibleError(
            f"A {graph.format} network cannot be cut.", f"Networks in {' and '.join(FORMATS)} can be."
        )
    constants = constant_tensors(graph)
    computing = [operator for operator in graph.operators if _computes(operator, constants)]
    cuts, prefix, stretch = list[Cut](), list[int](), list[int]()
    for operator, following in zip(computing, [*computing[1:], None], strict=True):
        prefix.append(operator.index)
        if not (graph.format == "onnx" and operator.op in (_QUANTIZES, _DEQUANTIZES)):
            stretch.append(operator.index)
        if following is not None and (not stretch or _is_within(graph, keys, stretch, following)):
            continue
        outputs = _live(graph, prefix, computing) if following is not None else graph.outputs
        if stretch and outputs:
            cuts.append(Cut(keys[stretch[-1]], tuple(stretch), tuple(prefix), tuple(outputs)))
            stretch = []
    return cuts


def _is_within(graph: Graph, keys: Mapping[int, LayerKey], stretch: Sequence[int], following: Operator) -> bool:
    """Whether the stretch goes on behind its last operator."""
    if graph.format == "onnx" and following.op == _QUANTIZES:
        return True
    return keys[following.index] == keys[stretch[-1]]


def _computes(operator: Operator, constants: set[int]) -> bool:
    return not operator.inputs or any(index >= 0 and index not in constants for index in operator.inputs)


def _live(graph: Graph, prefix: Sequence[int], computing: Sequence[Operator]) -> list[int]:
    """The tensors that the prefix makes and that an operator behind it, or the reader of the network, needs.

    In ONNX those before a dequantization and behind a quantization, which then belong to the operators on their side.
    """
    within = {*prefix}
    results = {output for index in prefix for output in graph.operators[index].outputs}
    makers = {output: operator for operator in computing for output in operator.outputs}
    readers: dict[int, list[Operator]] = {}
    for operator in computing:
        for index in operator.inputs:
            readers.setdefault(index, []).append(operator)
    live: dict[int, None] = {}
    for tensor in sorted(results):
        behind = [operator for operator in readers.get(tensor, []) if operator.index not in within]
        if not behind and tensor not in graph.outputs:
            continue
        live |= dict.fromkeys([tensor] if tensor in graph.outputs else _as_cut(graph, tensor, makers[tensor], behind))
    return [tensor for tensor in live if tensor not in graph.inputs]


def _as_cut(graph: Graph, tensor: int, maker: Operator, behind: Sequence[Operator]) -> list[int]:
    """The tensors that a cut gives instead of one that the operators ``behind`` it read."""
    if graph.format == "onnx" and maker.op == _DEQUANTIZES:
        return [maker.inputs[0]]
    if graph.format == "onnx" and all(operator.op == _QUANTIZES for operator in behind):
        return [operator.outputs[0] for operator in behind]
    return [tensor]


class Cutter:
    """Makes the files of cuts.

    Args:
        data: The network's file. graph: as read from it.
    """

    def __init__(self, data: bytes, graph: Graph) -> None:
        self._data, self._graph = data, graph
        self._tflite = TfliteCutter(data) if graph.format == "tflite" else None

    def file(self, cut: Cut) -> bytes:
        """The bytes of a cut; those of the whole file for the last one."""
        graph = self._graph
        if tuple(cut.outputs) == tuple(graph.outputs):
            return self._data
        if self._tflite is not None:
            return self._tflite.cut(with_unpacking(graph, cut.prefix), graph.inputs, *cut.outputs)
        names = [graph.tensors[index].name for index in cut.outputs]
        inputs = [graph.tensors[index].name for index in graph.inputs]
        return cut_onnx(self._data, inputs, *names, file=f"{graph.name}.onnx")
