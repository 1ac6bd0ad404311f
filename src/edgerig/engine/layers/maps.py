"""The layers of a cell's operators, of its network's file and of the network that this was made from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from edgerig.engine.layers.mapping import map_profile
from edgerig.errors import EdgerigError, StorageError
from edgerig.files import sha256_file
from edgerig.measure.kinds import Unavailable
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.layer_names import keys_of
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.types import Graph
from edgerig.results.bundle import Bundle
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.layers.layer_map import (
    RULES,
    FileOperator,
    LayerMap,
    MappedRow,
    SourceLayer,
    SourceNetwork,
    read_layer_map,
    write_layer_map,
)
from edgerig.results.types import CellResult

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
#: Most operators of a file whose layers are told: a table of more is of no use.
MOST_OPERATORS = 10_000


class LayerMaps:
    """The layer maps of the cells of one bundle: those that it holds, and others made of its files and kept there."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self._sources: dict[str, SourceNetwork] | None = None

    def of(self, cell: CellResult) -> LayerMap | Unavailable:
        """The map of a cell, or why there is none. A folder that cannot be written does not keep it."""
        stored = read_layer_map(self._bundle, cell)
        if stored is not None:
            return stored
        try:
            graph = read_graph(kept_file(self._bundle, cell))
        except EdgerigError as error:
            return Unavailable(f"its network cannot be read: {error.message}")
        if len(graph.operators) > MOST_OPERATORS:
            return Unavailable(f"its network has {len(graph.operators):,} operators, more than {MOST_OPERATORS:,}")
        layer_map = _layer_map(cell, graph, self._source(cell))
        with contextlib.suppress(StorageError):
            write_layer_map(self._bundle, cell, layer_map)
        return layer_map

    def _source(self, cell: CellResult) -> SourceNetwork | None:
        """The Keras network in the bundle that the cell's was made from, by its SHA-256: the nearest before it."""
        if self._sources is None:
            self._sources = dict(_keras_networks(Bundle(self._bundle).artifacts))
        parents = [origin.parent for origin in reversed(cell.artifact.origins) if origin.parent is not None]
        return next((self._sources[parent] for parent in parents if parent in self._sources), None)


def keep_layer_maps(bundle: Path, cells: Iterable[CellResult] | None = None) -> None:
    """Make the layer maps that a bundle lacks, so that its report can set layers beside each other.

    What has no map is left without one: it never costs the report.

    Args:
        cells: Those of the bundle; by default they are read.
    """
    if cells is None:
        try:
            cells = Bundle(bundle).result().cells
        except EdgerigError:
            return
    maps = LayerMaps(bundle)
    for cell in cells:
        maps.of(cell)


def _keras_networks(folder: Path) -> Iterable[tuple[str, SourceNetwork]]:
    for path in sorted(folder.glob("*")):
        inside = path.resolve().is_relative_to(folder.resolve())
        if path.suffix not in KERAS_SUFFIXES or not inside or not path.is_file():
            continue
        with contextlib.suppress(EdgerigError):
            sha256, costs = sha256_file(path), analyse(read_graph(path)).operators
            layers = tuple(
                SourceLayer(cost.name, _first(cost.output_shapes), cost.macs if cost.counted else None)
                for cost in costs
            )
            yield sha256, SourceNetwork(path.name, sha256, layers)


def _first(shapes: tuple[tuple[int, ...] | None, ...]) -> tuple[int, ...] | None:
    return shapes[0] if shapes else None


def _layer_map(cell: CellResult, graph: Graph, source: SourceNetwork | None) -> LayerMap:
    scopes = keys_of(graph, ())
    layers = keys_of(graph, [layer.name for layer in source.layers]) if source is not None else {}
    constants, costs = constant_tensors(graph), {cost.index: cost for cost in analyse(graph).operators}
    profile = () if isinstance(cell.layers, Unavailable) else cell.layers
    rows = map_profile(profile, graph) if profile else []
    return LayerMap(
        rules=RULES,
        artifact=cell.artifact.sha256,
        source=source,
        operators=tuple(
            FileOperator(
                index=operator.index,
                op=operator.op,
                scope=scopes[operator.index],
                layer=layers.get(operator.index),
                shape=_first(costs[operator.index].output_shapes),
                macs=costs[operator.index].macs if costs[operator.index].counted else None,
                computes=not operator.inputs or any(index >= 0 and index not in constants for index in operator.inputs),
            )
            for operator in graph.operators
        ),
        profile=tuple(
            MappedRow(name=layer.name, operator=row.operator, mapped=row.mapped, reason=row.reason, fused=row.fused)
            for layer, row in zip(profile, rows, strict=True)
        ),
    )
