"""The table of variants as texts for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.report.columns import VARIANTS
from edgerig.report.row import Row
from edgerig.report.tables import Column
from edgerig.results.types import CellResult


class TerminalColumn(msgspec.Struct, frozen=True):
    """A column of texts; in a narrow terminal the columns of the highest ``rank`` are left out first."""

    label: str
    right: bool
    rank: int
    texts: tuple[str, ...]


def terminal_columns(cells: Sequence[CellResult]) -> list[TerminalColumn]:
    """The columns that have a rank and are shown for these cells, with a text for each."""
    rows = [Row(cell=cell, cells=cells, label=cell.id) for cell in cells]
    return [
        TerminalColumn(
            column.short or column.heading(rows).label,
            column.align == "right",
            column.rank,
            tuple(_text(column, row) for row in rows),
        )
        for column in VARIANTS
        if column.rank is not None and column.when([column.figure(row) for row in rows])
    ]


def _text(column: Column[Row], row: Row) -> str:
    figure = column.figure(row)
    return "-" if figure is None else column.terminal(figure, row)
