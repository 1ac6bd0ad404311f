"""What was measured of a cell's layers after its run: a file of its own beside the cell's results."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from edgerig.errors import StorageError
from edgerig.measure.layer_cut import LayerCuts
from edgerig.measure.layer_error import LayerErrors
from edgerig.results.bundle import Bundle
from edgerig.results.reading import read_within
from edgerig.results.types import CellResult

Measured = TypeVar("Measured", LayerCuts, LayerErrors)


def read_measured(
    bundle: Path, cell: CellResult, file: str, kind: type[Measured], version: int, most: int
) -> Measured | None:
    """The content of the cell's ``file``; None where there is none, or of another version or network than the cell's.

    Args:
        most: Largest size of a file that is read, in bytes.
    """
    try:
        measured = msgspec.json.decode(read_within(Bundle(bundle).cell(cell.id) / file, bundle, most), type=kind)
    except (StorageError, OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return measured if (measured.version, measured.artifact) == (version, cell.artifact.sha256) else None
