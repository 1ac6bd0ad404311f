"""An ONNX graph with indexes: its constants by name, and of each tensor the nodes that make it and that take it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


class Constants:
    """The constants of a graph, also by their names."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.by_name = {tensor.name: tensor for tensor in graph.initializer}
        self.removed: set[str] = set()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.by_name.values())

    def __len__(self) -> int:
        return len(self.by_name)

    def add(self, tensor: Any) -> None:
        """Put a constant into the graph."""
        self.graph.initializer.append(tensor)
        self.by_name[tensor.name] = self.graph.initializer[-1]

    def remove(self, tensor: Any) -> None:
        """To be gone from the graph itself after `settle`."""
        if self.by_name.pop(tensor.name, None) is not None:
            self.removed.add(tensor.name)

    def settle(self) -> None:
        """Take what was removed out of the graph, at once, since each removal moves all that stand behind."""
        _delete(self.graph.initializer, lambda tensor: tensor.name in self.removed)
        self.removed.clear()


class IndexedGraph:
    """A graph that is changed by these methods alone, or is told of it by `enter` and `look_again_at_takers`.

    Attributes:
        constants: Its constants. inputs, outputs: The names of its own.
        takers, makers: The nodes that have a tensor as an input, and those that have it as an output, by its name.
    """

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self._index()

    def _index(self) -> None:
        self.constants = Constants(self.graph)
        self.takers: dict[str, list[Any]] = {}
        self.makers: dict[str, list[Any]] = {}
        for node in self.graph.node:
            self.enter(node)
        self.inputs = {value.name for value in self.graph.input}
        self.outputs = {value.name for value in self.graph.output}

    def enter(self, node: Any) -> None:
        """Index a node that the graph has got."""
        for names, table in ((node.input, self.takers), (node.output, self.makers)):
            for name in names:
                if name:
                    table.setdefault(name, []).append(node)

    def remove_nodes(self, nodes: Iterable[Any]) -> None:
        """Take nodes out, and the constants that were removed; nodes are the same that have the same content."""
        gone = {node.SerializeToString(deterministic=True) for node in nodes}
        if gone:
            _delete(self.graph.node, lambda node: node.SerializeToString(deterministic=True) in gone)
        self.constants.settle()
        self._index()

    def rename_inputs(self, old: str, new: str) -> None:
        """Have all nodes that take ``old`` take ``new``."""
        _rename(self.takers, old, new, lambda node: node.input)

    def rename_outputs(self, old: str, new: str) -> None:
        """Have the nodes that make ``old`` make ``new``."""
        _rename(self.makers, old, new, lambda node: node.output)

    def look_again_at_takers(self, old: str, new: str) -> None:
        """Index those nodes anew that took ``old``: some of them have been given ``new``."""
        for node in self.takers.pop(old, []):
            self.takers.setdefault(old if old in node.input else new, []).append(node)


def _rename(table: dict[str, list[Any]], old: str, new: str, names_of: Callable[[Any], Any]) -> None:
    nodes = table.pop(old, [])
    for node in nodes:
        names = names_of(node)
        for position, name in enumerate(names):
            if name == old:
                names[position] = new
    if nodes:
        table.setdefault(new, []).extend(nodes)


def _delete(repeated: Any, gone: Callable[[Any], bool]) -> None:
    for position in reversed([position for position, message in enumerate(repeated) if gone(message)]):
        del repeated[position]
