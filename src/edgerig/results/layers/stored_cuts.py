"""``layer_cuts.json`` of a cell: what its layers take by cutting the network, where that was measured."""

from __future__ import annotations

from pathlib import Path

from edgerig import files
from edgerig.measure.layer_cut import LAYER_CUTS_VERSION, LayerCuts
from edgerig.results.bundle import Bundle
from edgerig.results.layers.stored import read_measured
from edgerig.results.types import CellResult

FILE = "layer_cuts.json"
#: Largest file that is read, in bytes.
MOST_BYTES = 16 << 20


def read_layer_cuts(bundle: Path, cell: CellResult) -> LayerCuts | None:
    """What was measured of a cell's layers; None where nothing was, or of another network than the cell's."""
    return read_measured(bundle, cell, FILE, LayerCuts, LAYER_CUTS_VERSION, MOST_BYTES)


def write_layer_cuts(bundle: Path, cell: CellResult, cuts: LayerCuts) -> None:
    """Keep what was measured, beside the cell's results.

    Raises:
        StorageError: The bundle cannot be written.
    """
    files.write_json(Bundle(bundle).cell(cell.id) / FILE, cuts)
