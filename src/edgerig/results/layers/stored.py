"""What was measured of a cell's layers after its run: files of their own beside the cell's results.

``layer_cuts.json`` has what its layers take by cutting the network, ``layer_errors.json`` how far they are from the
float network.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from edgerig import files
from edgerig.errors import StorageError
from edgerig.measure.layer_cut import LAYER_CUTS_VERSION, LayerCuts
from edgerig.measure.layer_error import LAYER_ERRORS_VERSION, LayerErrors
from edgerig.results.bundle import Bundle
from edgerig.results.reading import read_within
from edgerig.results.types import CellResult

Measured = TypeVar("Measured", LayerCuts, LayerErrors)

CUTS_FILE, ERRORS_FILE = "layer_cuts.json", "layer_errors.json"
#: Largest sizes of these files that are read, in bytes.
MOST_CUTS_BYTES, MOST_ERRORS_BYTES = 16 << 20, 64 << 20


def read_layer_cuts(bundle: Path, cell: CellResult) -> LayerCuts | None:
    """The times of a cell's layers by cutting; None where none were measured, or of another network than the cell's."""
    return _read(bundle, cell, CUTS_FILE, LayerCuts, LAYER_CUTS_VERSION, MOST_CUTS_BYTES)


def write_layer_cuts(bundle: Path, cell: CellResult, cuts: LayerCuts) -> None:
    """Keep the times of layers by cutting.

    Raises:
        StorageError: The bundle cannot be written.
    """
    files.write_json(Bundle(bundle).cell(cell.id) / CUTS_FILE, cuts)


def read_layer_errors(bundle: Path, cell: CellResult) -> LayerErrors | None:
    """The errors of a cell's layers; None where none were measured, or of another network than the cell's."""
    return _read(bundle, cell, ERRORS_FILE, LayerErrors, LAYER_ERRORS_VERSION, MOST_ERRORS_BYTES)


def write_layer_errors(bundle: Path, cell: CellResult, errors: LayerErrors) -> None:
    """Keep the errors of layers.

    Raises:
        StorageError: The bundle cannot be written.
    """
    files.write_json(Bundle(bundle).cell(cell.id) / ERRORS_FILE, errors)


def _read(bundle: Path, cell: CellResult, file: str, kind: type[Measured], version: int, most: int) -> Measured | None:
    """The content of the cell's ``file``; None where there is none, or one of another version or network."""
    try:
        measured = msgspec.json.decode(read_within(Bundle(bundle).cell(cell.id) / file, bundle, most), type=kind)
    except (StorageError, OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return measured if (measured.version, measured.artifact) == (version, cell.artifact.sha256) else None
