"""Measured cells as one table of layers, of what their bundles hold.

A layer of one cell is set beside a layer of another by its name in the source network, and only where both do the same
work; never by its place in a list. Engines fuse, insert and leave out operators as they like, so places mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from edgerig.measure.kinds import Unavailable
from edgerig.measure.layer_cut import CutLayer, LayerCuts
from edgerig.measure.layer_error import LayerError, LayerErrors
from edgerig.measure.layer_key import LayerKey
from edgerig.measure.profile import LayerTime
from edgerig.results.layers.layer_map import LayerMap, SourceNetwork
from edgerig.results.layers.named_file import LayerWork, NamedFile
from edgerig.results.layers.sums import sum_of
from edgerig.results.layers.types import (
    LayerCell,
    LayerComparison,
    LayerRow,
    Mapping,
    ProfiledCell,
    UnmappedOperator,
)
from edgerig.results.types import CellResult

NOT_OF_THE_INPUT = "it computes nothing of the input, and the file does not tell its layer"
ABSENT = "no operator of the file bears its name: it was folded into another layer, or left out"
NO_TENSOR = "no operator of the file computes it"
NO_ROW = "no operator of the profile is known to be its"
OTHER_WORK = "what the file calls so does other work: the size of its output or its MACs are not the same"
NO_PROFILE = "it has no profile"
PARTS = "it was measured in other parts than this row has"


class MappedCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of a bundle, and the layers of its operators or why they are not known; errors and times by cutting where
    they are wanted."""

    bundle: str
    cell: CellResult
    layer_map: LayerMap | Unavailable
    errors: LayerErrors | Unavailable | msgspec.UnsetType = msgspec.UNSET
    cuts: LayerCuts | Unavailable | msgspec.UnsetType = msgspec.UNSET


def compare_mapped(cells: Sequence[MappedCell]) -> LayerComparison:
    """The layers of several cells, aligned by name; rows in the order of the source network, else of the files.

    Numbers in one row are of layers of one name that do the same work, as far as that is known: a layer of the same
    name with another output or other MACs has a row of its own. What a cell's profile does not tell is `Unavailable`
    there, with the reason.
    """
    maps = [each.layer_map for each in cells if isinstance(each.layer_map, LayerMap)]
    source = shared_source(maps)
    files = [NamedFile(each.layer_map, source) if isinstance(each.layer_map, LayerMap) else None for each in cells]
    rows = _rows([*files, *_as_written(cells, source)], source)
    infos = [_info(each) for each in cells]
    unmapped: list[UnmappedOperator] = []
    columns = [
        _beside(_column(index, each.cell, file, info.reason, rows, unmapped), rows, file, each)
        for index, (each, file, info) in enumerate(zip(cells, files, infos, strict=True))
    ]
    return LayerComparison(
        cells=tuple(infos),
        rows=tuple(
            LayerRow(
                name=row.key.label,
                layers=row.key.names,
                named_by=row.key.named_by,
                shape=row.shape,
                macs=row.macs,
                cells=tuple(column[position] for column in columns),
            )
            for position, row in enumerate(rows)
        ),
        unmapped=tuple(unmapped),
        notes=_notes(source, any(each.source is not None for each in maps)),
    )


def _as_written(cells: Sequence[MappedCell], source: SourceNetwork | None) -> list[NamedFile]:
    """The files of cells with errors or times by cutting, whose layers are those of the file however it is run."""
    return [
        NamedFile(each.layer_map, source, as_run=False)
        for each in cells
        if isinstance(each.layer_map, LayerMap)
        and (isinstance(each.errors, LayerErrors) or isinstance(each.cuts, LayerCuts))
    ]


def shared_source(maps: Sequence[LayerMap]) -> SourceNetwork | None:
    """The network that all files were made from, or the first of several that have the same layers; else None."""
    sources = [each.source for each in maps]
    first = sources[0] if sources else None
    if first is None or any(each is None or each.layers != first.layers for each in sources):
        return None
    return first


class _Slot:
    """A row that is being made, of the layers that are one."""

    def __init__(self, layer: LayerWork) -> None:
        self.layer = layer


def _rows(files: Sequence[NamedFile | None], source: SourceNetwork | None) -> list[LayerWork]:
    """All rows: each file's in its order, those that an earlier file lacks behind their predecessor in their own."""
    slots: list[_Slot] = []
    by_key: dict[LayerKey, list[_Slot]] = {}
    for file in files:
        last = -1
        for layer in file.layers if file is not None else ():
            alike = by_key.setdefault(layer.key, [])
            slot = next((slot for slot in alike if slot.layer.is_same(layer)), None)
            if slot is None:
                slot = _Slot(layer)
                slots.insert(max([last, *map(slots.index, alike)]) + 1, slot)
                alike.append(slot)
            slot.layer = slot.layer.joined(layer)
            last = slots.index(slot)
    rows = [slot.layer for slot in slots]
    if source is None:
        return rows
    covered = {name for row in rows for name in row.key.names}
    rows += [
        LayerWork(LayerKey((layer.name,), "layer"), layer.shape, layer.macs)
        for layer in source.layers
        if layer.name not in covered
    ]
    return _sorted(rows, {layer.name: position for position, layer in enumerate(source.layers)})


def _sorted(rows: Sequence[LayerWork], positions: dict[str, int]) -> list[LayerWork]:
    """Rows in the order of the source's layers; a tensor stays behind the layer that it follows in the file."""
    ranked, last = [], -1
    for position, row in enumerate(rows):
        if row.key.named_by == "layer":
            last = max((positions.get(name, last) for name in row.key.names), default=last)
        ranked.append((last, row.key.named_by == "tensor", position, row))
    return [row for *_, row in sorted(ranked, key=lambda item: item[:3])]


def _info(mapped: MappedCell) -> ProfiledCell:
    cell, reason = mapped.cell, None
    if isinstance(cell.layers, Unavailable):
        reason = cell.layers.reason
    elif isinstance(mapped.layer_map, Unavailable):
        reason = mapped.layer_map.reason
    return ProfiledCell(
        bundle=mapped.bundle,
        id=cell.id,
        variant=cell.variant,
        runtime=cell.runtime,
        target=cell.target,
        reason=reason,
        errors=mapped.errors,
        cuts=mapped.cuts,
    )


def _column(
    index: int,
    cell: CellResult,
    file: NamedFile | None,
    reason: str | None,
    rows: Sequence[LayerWork],
    unmapped: list[UnmappedOperator],
) -> list[LayerCell]:
    """What each row takes in one cell; appends what could not be told to ``unmapped``."""
    if isinstance(cell.layers, Unavailable) or file is None:
        return [LayerCell(time=Unavailable(reason or NO_PROFILE))] * len(rows)
    members: dict[LayerKey, list[tuple[LayerTime, Mapping]]] = {layer.key: [] for layer in file.layers}
    for layer, row in zip(cell.layers, file.layer_map.profile, strict=True):
        if row.operator is None or row.mapped is None:
            unmapped.append(_unmapped(index, layer, row.reason))
        elif (key := file.keys[row.operator]) in members:
            members[key].append((layer, row.mapped))
        else:
            unmapped.append(_unmapped(index, layer, NOT_OF_THE_INPUT))
    return [_cell(members[row.key] if file.has(row) else [], _why_missing(row, file)) for row in rows]


def _why_missing(row: LayerWork, file: NamedFile) -> str:
    key = row.key
    if file.has(row):
        return NO_ROW
    if any(layer.key == key for layer in file.layers):
        return OTHER_WORK
    if key.named_by == "tensor":
        return NO_TENSOR
    others = sorted(
        layer.key.label
        for layer in file.layers
        if layer.key.named_by == key.named_by and {*layer.key.names} & {*key.names}
    )
    return f"the file has it elsewhere: {', '.join(others)}" if others else ABSENT


def _unmapped(index: int, layer: LayerTime, reason: str) -> UnmappedOperator:
    return UnmappedOperator(
        cell=index,
        index=layer.index,
        op=layer.op,
        name=layer.name,
        time=sum_of([layer.time]),
        reason=reason,
        placement=layer.placement,
    )


def _cell(members: Sequence[tuple[LayerTime, Mapping]], reason: str) -> LayerCell:
    if not members:
        return LayerCell(time=Unavailable(reason))
    counts = [layer.instructions for layer, _ in members if not isinstance(layer.instructions, msgspec.UnsetType)]
    return LayerCell(
        time=sum_of([layer.time for layer, _ in members]),
        instructions=sum_of(counts) if len(counts) == len(members) else msgspec.UNSET,
        operators=tuple(layer.op for layer, _ in members),
        placement=tuple(dict.fromkeys(layer.placement for layer, _ in members if layer.placement)),
        mapped=tuple(dict.fromkeys(mapped for _, mapped in members)),
    )


def _beside(
    column: Sequence[LayerCell], rows: Sequence[LayerWork], file: NamedFile | None, mapped: MappedCell
) -> list[LayerCell]:
    """The cells of one column with errors and times by cutting, where these are wanted."""
    errors, cuts = mapped.errors, mapped.cuts
    file = NamedFile(file.layer_map, file.source, as_run=False) if file is not None else None
    if not isinstance(errors, msgspec.UnsetType):
        own = [_of_row(row, file, errors if isinstance(errors, Unavailable) else errors.layers) for row in rows]
        column = [msgspec.structs.replace(cell, error=error) for cell, error in zip(column, own, strict=True)]
    if not isinstance(cuts, msgspec.UnsetType):
        times = [_of_row(row, file, cuts if isinstance(cuts, Unavailable) else cuts.layers) for row in rows]
        column = [
            msgspec.structs.replace(cell, cut=time.time if isinstance(time, CutLayer) else time)
            for cell, time in zip(column, times, strict=True)
        ]
    return list(column)


_Measured = TypeVar("_Measured", LayerError, CutLayer)


def _of_row(
    row: LayerWork, file: NamedFile | None, layers: Sequence[_Measured] | Unavailable
) -> _Measured | Unavailable:
    """What was measured of the one layer that the operators of a row are, whatever it was called then."""
    if isinstance(layers, Unavailable) or file is None:
        return layers if isinstance(layers, Unavailable) else Unavailable(NO_PROFILE)
    if not file.has(row):
        return Unavailable(_why_missing(row, file))
    parts = [layer for layer in layers if any(file.keys.get(index) == row.key for index in layer.operators)]
    if len(parts) == 1 and all(file.keys.get(index) == row.key for index in parts[0].operators):
        return parts[0]
    return Unavailable(PARTS if parts else ABSENT)


def _notes(source: SourceNetwork | None, known: bool) -> tuple[str, ...]:
    if source is not None:
        origin = f"Names, shapes and MACs of layers are those of {source.file}."
    elif known:
        origin = "The files are not of one source network: names are the scopes of the files' own names."
    else:
        origin = "The source network is not in the bundle: names are the scopes of the files' own names."
    return (
        origin,
        "A name in brackets is a tensor's: the file does not tell its layer.",
        "An engine may fuse layers; a layer's time holds whatever the engine fused into its operators.",
    )
