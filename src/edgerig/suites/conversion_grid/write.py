"""What a grid leaves in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.suites.conversion_grid.difference import Change
from edgerig.suites.conversion_grid.page import render_grid
from edgerig.suites.conversion_grid.tables import markdown, rst
from edgerig.suites.conversion_grid.types import Grid

JSON = "grid.json"


def write_grid(grid: Grid, folder: Path, changes: Sequence[Change] = ()) -> None:
    """Write grid.html, grid.md, grid.rst and grid.json, the last one last.

    Raises:
        StorageError: They cannot be written.
    """
    files.write_text(folder / "grid.html", render_grid(grid, changes))
    files.write_text(folder / "grid.md", markdown(grid, changes))
    files.write_text(folder / "grid.rst", rst(grid, changes))
    files.write_bytes(folder / JSON, msgspec.json.format(msgspec.json.encode(grid), indent=1))
