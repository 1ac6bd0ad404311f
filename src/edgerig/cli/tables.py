"""Tables on a terminal of any width: columns are left out, or each row becomes a block; no figure is ever cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

#: Blank columns between two columns of a table.
GAP = 2


class Column(msgspec.Struct, frozen=True):
    """A column of a terminal table.

    Attributes:
        name: Its heading.
        right: Whether its cells are aligned to the right, as figures are.
        rank: Columns with the highest rank are left out first where the terminal is narrow; 0 is never left out.
    """

    name: str
    right: bool = True
    rank: int = 0


def render_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a table that is at most ``width`` characters wide.

    Columns are left out by their rank until the rest fits, and a last line names them. Where not even the columns
    of rank 0 fit, each row becomes a block of its first cell and a line for every other one, none of them left out.
    """
    widths = [
        max(len(column.name), *(len(row[index]) for row in rows), 0) if rows else len(column.name)
        for index, column in enumerate(columns)
    ]
    shown = _fitting(columns, widths, width)
    if not shown:
        return _blocks(columns, rows)
    lines = [_line([columns[i].name for i in shown], [columns[i] for i in shown], [widths[i] for i in shown])]
    lines += [_line([row[i] for i in shown], [columns[i] for i in shown], [widths[i] for i in shown]) for row in rows]
    left_out = [column.name for index, column in enumerate(columns) if index not in shown]
    if left_out:
        lines.append(f"(not shown for want of width: {', '.join(left_out)})")
    return lines


def _fitting(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Which columns to show; none of them where even those of rank 0 are too wide together."""
    for limit in sorted({column.rank for column in columns}, reverse=True):
        shown = [index for index, column in enumerate(columns) if column.rank <= limit]
        if sum(widths[index] for index in shown) + GAP * (len(shown) - 1) <= width:
            return shown
    return []


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = [
        cell.rjust(wide) if column.right else cell.ljust(wide)
        for cell, column, wide in zip(cells, columns, widths, strict=True)
    ]
    return (" " * GAP).join(parts).rstrip()


def _blocks(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[str]:
    label = max(len(column.name) for column in columns[1:]) if len(columns) > 1 else 0
    lines = []
    for row in rows:
        lines.append(f"{columns[0].name} {row[0]}" if columns[0].right else row[0])
        lines += [f"  {column.name:<{label}}  {cell}" for column, cell in zip(columns[1:], row[1:], strict=True)]
    return lines
