"""What differs between two grids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgerig.errors import UsageError
from edgerig.suites.conversion_grid.types import GOOD, Grid
from edgerig.suites.conversion_grid.words import WORDS


class Change(msgspec.Struct, frozen=True):
    """A cell, or with an empty importer an export, that came out otherwise than in the grid before.

    Attributes:
        network: Its key. before, after: The statuses. better: Whether it is equal, or exported, now.
    """

    network: str
    importer: str
    before: str
    after: str
    better: bool

    def __str__(self) -> str:
        where = f"{self.network} in {self.importer}" if self.importer else f"{self.network}: export"
        before, after = (WORDS.get(status, status) or status for status in (self.before, self.after))
        return f"{where}: {before} before, {after} now"


def changes(old: Grid, new: Grid) -> Iterator[Change]:
    """What both have and came out otherwise; worse ones first."""
    exports = {network.key: network.status for network in old.networks}
    cells = {(cell.network, cell.importer): cell.status for cell in old.cells}
    differing = [
        Change(network.key, "", exports[network.key], network.status, network.status == "exported")
        for network in new.networks
        if exports.get(network.key, network.status) != network.status
    ]
    differing += [
        Change(cell.network, cell.importer, cells[key], cell.status, cell.status in GOOD)
        for cell in new.cells
        if cells.get(key := (cell.network, cell.importer), cell.status) != cell.status
    ]
    yield from sorted(differing, key=lambda change: change.better)


def read_grid(path: Path) -> Grid:
    """A grid that `edgerig grid` wrote as ``grid.json``.

    Raises:
        UsageError: It is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Grid)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is no grid: {error}.", "Name the grid.json of an earlier run.") from error
