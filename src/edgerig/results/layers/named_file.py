"""The layers of a deployed file, in its order, under the names that a comparison uses."""

from __future__ import annotations

import msgspec

from edgerig.measure.layer_key import LayerKey
from edgerig.results.layers.layer_map import (
    FileOperator,
    LayerMap,
    SourceLayer,
    SourceNetwork,
    Work,
    total_macs,
    work_of,
)


class LayerWork(msgspec.Struct, frozen=True):
    """A layer and what it does in one inference: its output's shape and its MACs, None where they are not known."""

    key: LayerKey
    shape: tuple[int, ...] | None
    macs: int | None

    @property
    def work(self) -> Work:
        """What is compared of it."""
        return work_of(self.shape, self.macs)

    def is_same(self, other: LayerWork) -> bool:
        """Whether both are one layer: the same name, and no work that is known to differ."""
        return self.key == other.key and self.work.agrees(other.work)

    def joined(self, other: LayerWork) -> LayerWork:
        """The layer with what only ``other`` knows of it."""
        shape = other.shape if self.shape is None else self.shape
        return LayerWork(self.key, shape, other.macs if self.macs is None else self.macs)


class NamedFile:
    """A deployed file's operators by layer.

    Args:
        layer_map: Of the file.
        source: The network whose layers the names are; None for scopes of the file's own names.
        as_run: Whether layers that the profile has in one row are one layer, as the engine runs them.

    Attributes:
        keys: The layer of each operator, by its index in the file.
        layers: Those that compute something of the input, in the order in which they begin to.
    """

    def __init__(self, layer_map: LayerMap, source: SourceNetwork | None, *, as_run: bool = True) -> None:
        self.layer_map, self.source = layer_map, source
        self.keys: dict[int, LayerKey] = {
            operator.index: (operator.layer if source is not None else None) or operator.scope
            for operator in layer_map.operators
        }
        if as_run:
            self._join_fused()
        sources = {} if source is None else {layer.name: layer for layer in source.layers}
        members: dict[LayerKey, list[FileOperator]] = {}
        for operator in layer_map.operators:
            members.setdefault(self.keys[operator.index], []).append(operator)
        # What prepares a constant may stand anywhere before its use, so it says nothing of a layer's place.
        computed = dict.fromkeys(self.keys[operator.index] for operator in layer_map.operators if operator.computes)
        self.layers = tuple(_layer(key, members[key], sources) for key in computed)
        self._by_key = {layer.key: layer for layer in self.layers}

    def _join_fused(self) -> None:
        """Give the layers of operators that run in one row of the profile one key, with the names of all of them."""
        for row in self.layer_map.profile:
            parts = [self.keys[index] for index in (*row.fused, row.operator) if index is not None]
            if not row.fused or len(set(parts)) < 2:
                continue
            names = tuple(dict.fromkeys(name for part in parts for name in part.names))
            kinds = {part.named_by for part in parts}
            joint = LayerKey(names, kinds.pop() if len(kinds) == 1 else "tensor")
            self.keys = {index: joint if key in parts else key for index, key in self.keys.items()}

    def has(self, row: LayerWork) -> bool:
        """Whether the file has this layer."""
        layer = self._by_key.get(row.key)
        return layer is not None and layer.is_same(row)


def _layer(key: LayerKey, operators: list[FileOperator], sources: dict[str, SourceLayer]) -> LayerWork:
    """A layer with its work: that of the source's layers where they are its, else that of the file's operators."""
    parts = [sources[name] for name in key.names if name in sources]
    if key.named_by == "layer" and len(parts) == len(key.names) > 0:
        return LayerWork(key, parts[-1].shape, total_macs([layer.macs for layer in parts]))
    return LayerWork(key, operators[-1].shape, total_macs([operator.macs for operator in operators]))
