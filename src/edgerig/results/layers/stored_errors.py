"""``layer_errors.json`` of a cell: how far its layers are from the float network, where that was measured."""

from __future__ import annotations

from pathlib import Path

from edgerig import files
from edgerig.measure.layer_error import LAYER_ERRORS_VERSION, LayerErrors
from edgerig.results.bundle import Bundle
from edgerig.results.layers.stored import read_measured
from edgerig.results.types import CellResult

FILE = "layer_errors.json"
#: Largest size of a file that is read, in bytes.
MOST_BYTES = 64 << 20


def read_layer_errors(bundle: Path, cell: CellResult) -> LayerErrors | None:
    """What was measured of a cell's layers; None where nothing was, or of another network than the cell's."""
    return read_measured(bundle, cell, FILE, LayerErrors, LAYER_ERRORS_VERSION, MOST_BYTES)


def write_layer_errors(bundle: Path, cell: CellResult, errors: LayerErrors) -> None:
    """Keep what was measured, beside the cell's results.

    Raises:
        StorageError: The bundle cannot be written.
    """
    files.write_json(Bundle(bundle).cell(cell.id) / FILE, errors)
