"""Cells of bundles as one table of layers."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig.engine.layers.cut_times import cell_cuts
from edgerig.engine.layers.errors import Selection, cell_errors
from edgerig.engine.layers.maps import LayerMaps
from edgerig.errors import IncompatibleError, UnknownNameError
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.layers.compare import MappedCell, compare_mapped
from edgerig.results.layers.layer_map import LayerMap
from edgerig.results.layers.types import LayerComparison


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
    selections: Sequence[Selection], errors: bool = False, progress: Progress | None = None, *, cut_rounds: int = 0
) -> LayerComparison:
    """The layers of several cells, as `edgerig.results.layers.compare.compare_mapped` sets them beside each other.

    With ``errors`` each layer's error against the float network as well, which is measured where the bundle does not
    hold it yet, and kept there. With ``cut_rounds`` the times of the network cut off after each layer, in so many fresh
    processes of each, likewise. A cell that is there twice is shown once.
    """
    selections = list({(each.bundle, each.cell.id): each for each in selections}.values())
    maps = {bundle: LayerMaps(bundle) for bundle in {each.bundle for each in selections}}
    mapped = []
    for selection in selections:
        layer_map = maps[selection.bundle].of(selection.cell)
        measured = (
            cell_errors(selection, layer_map, progress or Progress())
            if errors and isinstance(layer_map, LayerMap)
            else msgspec.UNSET
        )
        cuts = (
            cell_cuts(selection, layer_map, cut_rounds, progress or Progress())
            if cut_rounds and isinstance(layer_map, LayerMap)
            else msgspec.UNSET
        )
        mapped.append(
            MappedCell(
                bundle=str(selection.bundle), cell=selection.cell, layer_map=layer_map, errors=measured, cuts=cuts
            )
        )
    return compare_mapped(mapped)
