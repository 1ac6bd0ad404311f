"""From names in a deployed file to layers of the network that it was made from.

Converters keep the scopes in which a value was computed: ``max;conv/add;conv/conv_general_dilated`` is what the layer
``conv`` computes, fused with operators that have no scope. Where the source network is at hand, a scope counts only if
one of its layers has that name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from edgerig.measure.layer_key import LayerKey
from edgerig.models.graph.types import Graph, Operator

#: Scopes that a transformation of JAX adds, such as ``jit(<lambda>)``; they are no layers.
_TRANSFORMED = re.compile(r"\w+\(.*\)")
#: What litert-torch calls a module of PyTorch: its class, with where that is defined, and its number.
_MODULE = re.compile(r"(?:\w+\.)+(?P<name>\w+_\d+)")


class LayerNames:
    """Finds the layers that a name in a file tells of.

    Args:
        layers: Names of the source network's layers, in their order; empty where it is not at hand.
        ops: The kinds of operator in the file, which ONNX exporters append to names.
    """

    def __init__(self, layers: Sequence[str], ops: Collection[str] = ()) -> None:
        self._layers = {tuple(name.split("/")): index for index, name in enumerate(layers)}
        self._names = tuple(layers)
        kinds = "|".join(re.escape(op) for op in sorted(ops, key=len, reverse=True))
        self._op_suffix = re.compile(rf"[/_](?:{kinds})(?:_\d+)?$") if kinds else None

    def key_of(self, name: str) -> LayerKey:
        """The layers that ``name``, of a tensor or of an ONNX node, belongs to."""
        base = self._without_ops(name)
        if self._layers:
            indices = sorted({index for piece in base.split(";") if (index := self._layer(piece)) is not None})
            if indices:
                return LayerKey(tuple(self._names[index] for index in indices), "layer")
            return LayerKey((base,), "tensor")
        # Exporters of PyTorch name a node by the path of its module, and a slash before it.
        is_module = name.startswith("/") and base != name
        scopes = dict.fromkeys(
            scope
            for piece in base.split(";")
            if (scope := _of_modules(piece) or "/".join(_path(piece) if is_module else _path(piece)[:-1]))
        )
        return LayerKey(tuple(scopes), "scope") if scopes else LayerKey((base,), "tensor")

    def _without_ops(self, name: str) -> str:
        while self._op_suffix is not None and (shorter := self._op_suffix.sub("", name)) not in (name, ""):
            name = shorter
        return name

    def _layer(self, piece: str) -> int | None:
        """The layer in whose scope ``piece`` was computed, the innermost that the source tells.

        The last part of a path is the operator itself, which may be called as a layer is. The first may be the name of
        the whole network.
        """
        scope = tuple(_path(piece)[:-1])
        for start in range(min(2, len(scope))):
            for end in range(len(scope), start, -1):
                if scope[start:end] in self._layers:
                    return self._layers[scope[start:end]]
        return None


def _path(piece: str) -> list[str]:
    return [part for part in piece.split("/") if part and not _TRANSFORMED.fullmatch(part)]


def _of_modules(piece: str) -> str | None:
    """The path of a module of PyTorch by the names of its classes, where litert-torch has written it; else None."""
    *outer, last = piece.split("/")
    if _MODULE.fullmatch(last) is None:
        return None
    # The outermost comes twice, at first without its number.
    names = [match["name"] for part in (*outer[1:], last) if (match := _MODULE.fullmatch(part)) is not None]
    return "/".join(names)


def keys_of(graph: Graph, layers: Sequence[str]) -> dict[int, LayerKey]:
    """The layers of each operator of a file, by its index."""
    ops = {operator.op for operator in graph.operators} if graph.format == "onnx" else set()
    names = LayerNames(layers, ops)
    return {operator.index: names.key_of(_name(graph, operator)) for operator in graph.operators}


def _name(graph: Graph, operator: Operator) -> str:
    """The node's own name in ONNX; in other files that of the first output."""
    outputs = [graph.tensors[index].name for index in operator.outputs if index >= 0]
    return operator.name if graph.format == "onnx" or not outputs else outputs[0]
