"""A grid as one HTML page that loads nothing from outside; what is shown is chosen without a script."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.report.rendering.page import page_css, page_environment
from edgerig.suites.conversion_grid.difference import Change
from edgerig.suites.conversion_grid.tables import LEGEND, SWEEP, failures, sweep, versions
from edgerig.suites.conversion_grid.types import GOOD, SILENT, Cell, Grid, Network
from edgerig.suites.conversion_grid.words import counts, export_word, word


class Row(msgspec.Struct, frozen=True):
    """A network's row: how its export went, and text, cell and style of each importer."""

    network: Network
    exported: str
    cells: tuple[tuple[str, Cell | None, str], ...]

    @property
    def failed(self) -> bool:
        """Whether anything about it went wrong."""
        exported = self.network.status in ("exported", "missing")
        return not exported or any(tone == "bad" for _, _, tone in self.cells)


def render_grid(grid: Grid, changes: Sequence[Change] = ()) -> str:
    """The page."""
    return (
        page_environment()
        .get_template("grid.html.j2")
        .render(
            css=page_css(),
            grid=grid,
            legend=LEGEND,
            exporters=list(dict.fromkeys(network.exporter for network in grid.networks)),
            rows=[_row(grid, network) for network in grid.networks],
            equal=[f"{good} of {tried}" if tried else "-" for good, tried in counts(grid).values()],
            sweep=sweep(grid),
            sweep_title=SWEEP,
            changes=changes,
            failures=list(failures(grid)),
            versions=versions(grid),
        )
    )


def _row(grid: Grid, network: Network) -> Row:
    cells = [grid.cell(network.key, importer) for importer in grid.importers]
    return Row(network, export_word(network), tuple((word(cell), cell, _tone(cell)) for cell in cells))


def _tone(cell: Cell | None) -> str:
    if cell is None or cell.status in SILENT:
        return "muted"
    return "good" if cell.status in GOOD else "bad"
