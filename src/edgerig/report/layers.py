"""The layers of a report's variants, beside each other: the same comparison that `edgerig layers` makes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.layer_cut import LayerCuts
from edgerig.measure.layer_error import LayerErrors
from edgerig.report.labels import labels
from edgerig.report.layer_table import layers_table
from edgerig.report.limits import Limits
from edgerig.report.load import Loaded
from edgerig.report.model import LayersView, Unlayered
from edgerig.results.layers.compare import MappedCell, compare_mapped
from edgerig.results.layers.layer_map import UNKNOWN, LayerMap
from edgerig.results.layers.types import LayerComparison, LayerRow
from edgerig.results.types import CellResult

NO_ROOM = "the page has no room for its layers; `edgerig layers` shows them"


class _Shown(msgspec.Struct, frozen=True):
    """A cell whose layers are known, with the anchor and the name of its variant."""

    mapped: MappedCell
    anchor: str
    label: str


def layer_views(
    cells: Sequence[tuple[int, CellResult]],
    bundles: Sequence[Loaded],
    names: Sequence[str],
    anchors: Sequence[str],
    limits: Limits,
) -> tuple[tuple[LayersView, ...], tuple[Unlayered, ...]]:
    """A table for all variants that were made from one network, and the variants whose layers stand in none.

    Args:
        cells: Number of the bundle, and cell.
        names: Of the runs.
        anchors: Of the variants, one for each cell.
    """
    groups: dict[Hashable, list[_Shown]] = {}
    missing: list[Unlayered] = []
    for (number, cell), anchor, label in zip(cells, anchors, labels(cells)[0], strict=True):
        label = f"{label} of {names[number]}" if len(bundles) > 1 else label
        layer_map = bundles[number].layer_maps.get(cell.id)
        reason = _why_unlayered(cell, bundles[number], layer_map, limits)
        if reason or layer_map is None:
            missing.append(Unlayered(anchor, label, reason))
            continue
        mapped = MappedCell(
            bundle=str(bundles[number].path),
            cell=cell,
            layer_map=layer_map,
            errors=bundles[number].layer_errors.get(cell.id, msgspec.UNSET),
            cuts=bundles[number].layer_cuts.get(cell.id, msgspec.UNSET),
        )
        groups.setdefault(_group_of(mapped), []).append(_Shown(mapped, anchor, label))
    views = tuple(_view(group, len(groups), limits) for group in groups.values())
    return views, tuple(missing)


def _why_unlayered(cell: CellResult, loaded: Loaded, layer_map: LayerMap | None, limits: Limits) -> str:
    measured = cell.id in loaded.layer_errors or cell.id in loaded.layer_cuts
    if isinstance(cell.layers, Unavailable) and not measured:
        return f"no profile: {cell.layers.reason}"
    if not cell.layers and not measured:
        return "the profile is empty"
    if layer_map is None:
        return UNKNOWN
    return "" if limits.layers else NO_ROOM


def _group_of(mapped: MappedCell) -> Hashable:
    """What cells have in common whose layers may be compared: the layers of the source network, and the batch."""
    layer_map = mapped.layer_map
    source = layer_map.source if isinstance(layer_map, LayerMap) else None
    return None if source is None else source.layers, mapped.cell.batch


def _view(group: Sequence[_Shown], groups: int, limits: Limits) -> LayersView:
    comparison = compare_mapped([each.mapped for each in group])
    rows = _slowest(comparison, limits.layers)
    notes = (*comparison.notes, *_measured_apart(comparison))
    if len(rows) < len(comparison.rows):
        notes = (*notes, f"The {len(rows)} slowest layers of {len(comparison.rows):,}.")
    table = layers_table(
        msgspec.structs.replace(comparison, rows=rows, notes=notes),
        [each.label for each in group],
        [each.anchor for each in group],
    )
    layer_map = group[0].mapped.layer_map
    source = layer_map.source.file if isinstance(layer_map, LayerMap) and layer_map.source is not None else ""
    title = f"Layers of {source or 'files whose source network is not known'}" if groups > 1 else "Layers compared"
    return LayersView(
        anchors=tuple(each.anchor for each in group),
        table=msgspec.structs.replace(table, name="layers-compared", title=title),
    )


def _measured_apart(comparison: LayerComparison) -> tuple[str, ...]:
    """What the reader has to know of errors and of times by cutting, once for all cells of which it is true."""
    ran_by: dict[str, dict[str, None]] = {}
    for index, cell in enumerate(comparison.cells):
        ran_by.setdefault(cell.runtime, {}).update(dict.fromkeys(comparison.placements(index)))
    notes = [f"{runtime} ran them by {' and '.join(names)}." for runtime, names in ran_by.items() if names]
    for cell in comparison.cells:
        if isinstance(cell.errors, LayerErrors):
            errors = cell.errors
            notes += [f"Errors of {cell.id} against {errors.reference} on {errors.samples} samples, {errors.engine}."]
            notes += errors.notes
        if isinstance(cell.cuts, LayerCuts):
            notes += [
                f"Times by cutting are differences of the network cut off, {cell.cuts.rounds} processes of each cut."
            ]
            notes += cell.cuts.notes
    return tuple(dict.fromkeys(notes))


def _slowest(comparison: LayerComparison, most: int) -> tuple[LayerRow, ...]:
    """The rows that take the largest share of any cell's time, in their order."""
    totals = [sum(_seconds(row, index) for row in comparison.rows) for index in range(len(comparison.cells))]

    def share(row: LayerRow) -> float:
        return max((_seconds(row, index) / total for index, total in enumerate(totals) if total > 0), default=0.0)

    order = sorted(range(len(comparison.rows)), key=lambda index: -share(comparison.rows[index]))
    return tuple(comparison.rows[index] for index in sorted(order[:most]))


def _seconds(row: LayerRow, index: int) -> float:
    time = row.cells[index].time
    return time.value if isinstance(time, Measurement) else 0.0
