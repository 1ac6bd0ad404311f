"""Cells of bundles as one table of layers."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig.engine.layers.errors import Selection, cell_errors
from edgerig.engine.layers.mapping import map_profile
from edgerig.engine.layers.sums import sum_of
from edgerig.engine.layers.types import LayerCell, LayerComparison, LayerRow, Mapping, ProfiledCell, UnmappedOperator
from edgerig.errors import EdgerigError, IncompatibleError, UnknownNameError
from edgerig.files import sha256_file
from edgerig.measure.kinds import Unavailable
from edgerig.measure.layer_error import LayerErrors
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.analysis import OperatorCost, analyse
from edgerig.models.graph.layer_names import LayerKey, keys_of
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.types import Graph
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.types import CellResult

NOT_OF_THE_INPUT = "it computes nothing of the input, and the file does not tell its layer"
ABSENT = "no operator of the file bears its name: it was folded into another layer, or left out"
NO_TENSOR = "no operator of the file computes it"
NO_ROW = "no operator of the profile is known to be its"
KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


class _Network(msgspec.Struct, frozen=True):
    """A deployed file: its graph and the layers of its operators."""

    graph: Graph
    keys: dict[int, LayerKey]


class _Source(msgspec.Struct, frozen=True):
    """The network that the cells were made from: the cost of its layers, by name, in order."""

    file: str
    layers: dict[str, OperatorCost]


def select_cells(bundle: Path, cell: str | None, only: Sequence[str] = ()) -> list[Selection]:
    """One cell of a bundle, or all of them that match a pattern of ``only``, where there are such.

    Raises:
        StorageError: The folder is no bundle, or cannot be read.
        UnknownNameError: It has no such cell.
        IncompatibleError: No cell is measured, or none matches.
    """
    cells = {result.id: result for result in Bundle(bundle).result().cells}
    if cell is not None and cell not in cells:
        raise UnknownNameError(f"cell of {bundle}", cell, cells)
    chosen = [cells[cell]] if cell is not None else list(cells.values())
    if only and cell is None:
        chosen = [result for result in chosen if any(fnmatch.fnmatchcase(result.id, pattern) for pattern in only)]
    if not chosen:
        what = f"None of its cells matches {', '.join(only)}" if cells else "No cell of it is measured"
        raise IncompatibleError(f"{bundle} has nothing to show. {what}.", f"It has {', '.join(cells) or 'none'}.")
    return [Selection(bundle, result) for result in chosen]


def compare_layers(
    selections: Sequence[Selection], errors: bool = False, progress: Progress | None = None
) -> LayerComparison:
    """The layers of several cells, aligned by name; rows in the order of the source network, else of the files.

    With ``errors`` each layer's error against the float network as well, which is measured where the bundle does not
    hold it yet, and kept there.

    A layer that a cell's profile does not tell is `Unavailable` there, with the reason. A cell that is there twice is
    shown once.
    """
    selections = list({(each.bundle, each.cell.id): each for each in selections}.values())
    source = _source(selections)
    networks: list[_Network | None] = []
    infos: list[ProfiledCell] = []
    for selection in selections:
        network, reason = _network(selection, source)
        networks.append(network)
        layers = selection.cell.layers
        names = tuple(source.layers) if source else ()
        measured = cell_errors(selection, network.graph, names, progress or Progress()) if errors and network else None
        reason = layers.reason if isinstance(layers, Unavailable) else reason
        infos.append(_info(selection, reason, measured))
    keys = _ordered(networks, source)
    unmapped: list[UnmappedOperator] = []
    columns = [
        _with_errors(_column(index, selection.cell, network, info.reason, keys, unmapped), keys, info)
        for index, (selection, network, info) in enumerate(zip(selections, networks, infos, strict=True))
    ]
    known = [network for network in networks if network is not None]
    rows = tuple(
        _row(key, source, known, tuple(column[position] for column in columns)) for position, key in enumerate(keys)
    )
    return LayerComparison(cells=tuple(infos), rows=rows, unmapped=tuple(unmapped), notes=_notes(source))


def _with_errors(column: Sequence[LayerCell], keys: Sequence[LayerKey], info: ProfiledCell) -> list[LayerCell]:
    """The cells of one column with the errors of their layers, where these were asked for."""
    if isinstance(info.errors, msgspec.UnsetType):
        return list(column)
    if isinstance(info.errors, Unavailable):
        return [msgspec.structs.replace(cell, error=info.errors) for cell in column]
    by_name = {layer.name: layer for layer in info.errors.layers}
    return [
        msgspec.structs.replace(cell, error=by_name.get(key.label, Unavailable(ABSENT)))
        for cell, key in zip(column, keys, strict=True)
    ]


def _info(selection: Selection, reason: str | None, errors: LayerErrors | Unavailable | None) -> ProfiledCell:
    cell = selection.cell
    return ProfiledCell(
        bundle=str(selection.bundle),
        id=cell.id,
        variant=cell.variant,
        runtime=cell.runtime,
        target=cell.target,
        reason=reason,
        errors=msgspec.UNSET if errors is None else errors,
    )


def _source(selections: Sequence[Selection]) -> _Source | None:
    """The Keras network in a bundle that all cells were made from, by its SHA-256; None where there is none."""
    parents = [{origin.parent for origin in each.cell.artifact.origins} - {None} for each in selections]
    shared = set.intersection(*parents) if parents else set()
    for folder in dict.fromkeys(Bundle(each.bundle).artifacts for each in selections):
        for path in sorted(folder.glob("*")):
            inside = path.resolve().is_relative_to(folder.resolve())
            if path.suffix in KERAS_SUFFIXES and inside and path.is_file() and sha256_file(path) in shared:
                try:
                    graph = read_graph(path)
                except EdgerigError:
                    continue
                return _Source(path.name, {cost.name: cost for cost in analyse(graph).operators})
    return None


def _network(selection: Selection, source: _Source | None) -> tuple[_Network | None, str | None]:
    try:
        graph = read_graph(kept_file(selection.bundle, selection.cell))
    except EdgerigError as error:
        return None, f"its network cannot be read: {error.message}"
    return _Network(graph, keys_of(graph, tuple(source.layers) if source else ())), None


def _ordered(networks: Sequence[_Network | None], source: _Source | None) -> list[LayerKey]:
    """All rows: each file's in its order, those that an earlier file lacks behind their predecessor in their own."""
    keys: list[LayerKey] = []
    for network in networks:
        last = -1
        for key in _computed(network) if network is not None else ():
            if key not in keys:
                keys.insert(last + 1, key)
            last = keys.index(key)
    if source is None:
        return keys
    positions = {name: position for position, name in enumerate(source.layers)}
    covered = {name for key in keys for name in key.names}
    keys += [LayerKey((name,), "layer") for name in source.layers if name not in covered]
    return _sorted(keys, positions)


def _computed(network: _Network) -> list[LayerKey]:
    """The layers of a file in its order, without operators that compute nothing of the input: unpacked weights."""
    constants = constant_tensors(network.graph)
    return [
        network.keys[operator.index]
        for operator in network.graph.operators
        if not operator.inputs or any(index >= 0 and index not in constants for index in operator.inputs)
    ]


def _sorted(keys: Sequence[LayerKey], positions: MappingOf[str, int]) -> list[LayerKey]:
    """Rows in the order of the source's layers; a tensor stays behind the layer that it follows in the file."""
    ranked, last = [], -1
    for position, key in enumerate(keys):
        last = max(positions[name] for name in key.names) if key.named_by == "layer" else last
        ranked.append((last, key.named_by == "tensor", position, key))
    return [key for *_, key in sorted(ranked, key=lambda item: item[:3])]


def _column(
    index: int,
    cell: CellResult,
    network: _Network | None,
    reason: str | None,
    keys: Sequence[LayerKey],
    unmapped: list[UnmappedOperator],
) -> list[LayerCell]:
    """What each row takes in one cell; appends what could not be told to ``unmapped``."""
    if isinstance(cell.layers, Unavailable) or network is None:
        return [LayerCell(time=Unavailable(reason or "it has no profile"))] * len(keys)
    rows = map_profile(cell.layers, network.graph)
    members: dict[LayerKey, list[tuple[LayerTime, Mapping]]] = {key: [] for key in keys}
    for layer, row in zip(cell.layers, rows, strict=True):
        if row.operator is None or row.mapped is None:
            unmapped.append(_unmapped(index, layer, row.reason))
        elif (key := network.keys[row.operator]) in members:
            members[key].append((layer, row.mapped))
        else:
            unmapped.append(_unmapped(index, layer, NOT_OF_THE_INPUT))
    return [_cell(members[key], _why_missing(key, network)) for key in keys]


def _why_missing(key: LayerKey, network: _Network) -> str:
    present = set(network.keys.values())
    if key in present:
        return NO_ROW
    if key.named_by == "tensor":
        return NO_TENSOR
    others = sorted(
        other.label for other in present if other.named_by == key.named_by and {*other.names} & {*key.names}
    )
    return f"the file has it elsewhere: {', '.join(others)}" if others else ABSENT


def _unmapped(index: int, layer: LayerTime, reason: str) -> UnmappedOperator:
    return UnmappedOperator(
        cell=index, index=layer.index, op=layer.op, name=layer.name, time=sum_of([layer.time]), reason=reason
    )


def _cell(members: Sequence[tuple[LayerTime, Mapping]], reason: str) -> LayerCell:
    if not members:
        return LayerCell(time=Unavailable(reason))
    counts = [layer.instructions for layer, _ in members if not isinstance(layer.instructions, msgspec.UnsetType)]
    return LayerCell(
        time=sum_of([layer.time for layer, _ in members]),
        instructions=sum_of(counts) if len(counts) == len(members) else msgspec.UNSET,
        operators=tuple(layer.op for layer, _ in members),
        mapped=tuple(dict.fromkeys(mapped for _, mapped in members)),
    )


def _row(key: LayerKey, source: _Source | None, networks: Sequence[_Network], cells: tuple[LayerCell, ...]) -> LayerRow:
    shape, macs = _cost(key, source, networks)
    return LayerRow(name=key.label, layers=key.names, named_by=key.named_by, shape=shape, macs=macs, cells=cells)


def _cost(
    key: LayerKey, source: _Source | None, networks: Sequence[_Network]
) -> tuple[tuple[int, ...] | None, int | None]:
    """Shape and MACs of a row: of the source's layers where they are its, else of the first file that has it."""
    if source is not None and key.named_by == "layer":
        costs = [source.layers[name] for name in key.names]
    else:
        network = next(network for network in networks if key in network.keys.values())
        costs = [cost for cost in analyse(network.graph).operators if network.keys[cost.index] == key]
    shapes = costs[-1].output_shapes
    return (shapes[0] if shapes else None), sum(cost.macs for cost in costs) if all(
        cost.counted for cost in costs
    ) else None


def _notes(source: _Source | None) -> tuple[str, ...]:
    if source is not None:
        origin = f"Names, shapes and MACs of layers are those of {source.file}."
    else:
        origin = "The source network is not in the bundle: names are the scopes of the files' own names."
    return (
        origin,
        "A name in brackets is a tensor's: the file does not tell its layer.",
        "An engine may fuse layers; a layer's time holds whatever the engine fused into its operators.",
    )
