"""Read bundles from disk: the results, and the raw samples of each cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import NoBundleError, StorageError
from edgerig.files import hint_for_missing
from edgerig.measure.layer_cut import LayerCuts
from edgerig.measure.layer_error import LayerErrors
from edgerig.results.bundle import OUT_OF_CELLS, Bundle
from edgerig.results.layers.layer_map import LayerMap, read_layer_map
from edgerig.results.layers.stored import read_layer_cuts, read_layer_errors
from edgerig.results.reading import MAX_SAMPLES
from edgerig.results.types import CellResult, RunResult

#: Raw samples of one cell: ``times_ns`` (n,) int64 in measurement order, of all its rounds; ``predictions``,
#: ``labels``, ``indices``.
Samples = Mapping[str, NDArray[Any]]
#: Those of the arrays that a report reads.
NEEDED = ("times_ns", "indices", "labels", "predictions")
_HINT = "Give a folder that `edgerig run --out` or `edgerig bench --out` made."


class Loaded(msgspec.Struct, frozen=True):
    """A bundle in memory; ``faults`` names the parts of it that cannot be read. ``layer_maps`` are there for the cells
    whose operators' layers the bundle tells, ``layer_errors`` and ``layer_cuts`` where they were measured."""

    path: Path
    result: RunResult
    samples: dict[str, Samples]
    faults: tuple[str, ...] = ()
    layer_maps: dict[str, LayerMap] = {}
    layer_errors: dict[str, LayerErrors] = {}
    layer_cuts: dict[str, LayerCuts] = {}


def load_bundle(path: Path) -> Loaded:
    """The results of a bundle and the raw samples by cell id.

    An unfinished bundle gives the cells that it has, with ``finished`` None. ``samples`` lacks cells without
    ``samples.npz`` (of a bundle that was shared without its raw samples), and those whose samples cannot be read or
    exceed the limit for one bundle (`MAX_SAMPLES`), with a warning. A cell whose result cannot be read is among the
    failures.

    Raises:
        StorageError: The folder does not exist, is no bundle, is damaged, or has a format of another edgerig.
    """
    if not path.is_dir():
        what = "is a file, not a bundle" if path.exists() else "is not a bundle: there is no such folder"
        raise NoBundleError(f"{path} {what}.", hint_for_missing(path, _HINT))
    bundle = Bundle(path)
    if not bundle.exists and not bundle.finished:
        raise NoBundleError(f"{path} is not a bundle: it has neither results.json nor bundle.json.", _HINT)
    result = bundle.result()
    samples, lost, room = dict[str, Samples](), list[str](), MAX_SAMPLES
    for cell in result.cells:
        if not (bundle.cell(cell.id) / "samples.npz").exists():
            continue
        try:
            arrays = bundle.samples(cell.id, NEEDED, room)
            room -= sum(array.nbytes for array in arrays.values())
            samples[cell.id] = _of_all_rounds(
                _checked(arrays, bundle.cell(cell.id) / "samples.npz"), cell, bundle, room
            )
            room -= samples[cell.id]["times_ns"].nbytes - arrays["times_ns"].nbytes
        except StorageError as error:
            lost.append(f"The raw samples of {cell.id} are not shown: {error.message}")
    unread = [text for text in result.warnings if text.endswith(OUT_OF_CELLS)]
    unread += [f"{note.id}: {note.message}" for note in result.failures if note.error == "StorageError"]
    if lost:
        result = msgspec.structs.replace(result, warnings=(*result.warnings, *lost))
    return Loaded(
        path,
        result,
        samples,
        (*unread, *lost),
        {cell.id: layer_map for cell in result.cells if (layer_map := read_layer_map(path, cell)) is not None},
        {cell.id: errors for cell in result.cells if (errors := read_layer_errors(path, cell)) is not None},
        {cell.id: cuts for cell in result.cells if (cuts := read_layer_cuts(path, cell)) is not None},
    )


def _of_all_rounds(arrays: Samples, cell: CellResult, bundle: Bundle, room: int) -> Samples:
    """``arrays`` with the times of all rounds, concatenated."""
    if len(cell.rounds) < 2:
        return arrays
    times = bundle.round_times(cell, room + arrays["times_ns"].nbytes)
    return {**arrays, "times_ns": np.concatenate(times)}


def _checked(arrays: dict[str, NDArray[Any]], file: Path) -> Samples:
    times = arrays.get("times_ns")
    if times is None or times.ndim != 1 or not np.issubdtype(times.dtype, np.integer):
        raise StorageError(
            f"{file} is damaged: it holds no row of whole numbers called times_ns.", "Measure the cell again."
        )
    return arrays
