"""A comparison of layers as a table that every writer of reports renders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.layer_error import LayerError, LayerErrors
from edgerig.report.tables import Column, Table, Value, always, if_any, make_table
from edgerig.report.values import Figure
from edgerig.results.layers.sums import sum_of
from edgerig.results.layers.types import LayerCell, LayerComparison, LayerRow, ProfiledCell

#: The row of what no layer is known of, so that nothing of a profile is lost from the table.
OTHERS = "(of no known layer)"
#: The column of largest absolute errors.
LARGEST = "largest error"
#: The column of times by cutting the network.
CUT = "time by cutting"


def layers_table(
    comparison: LayerComparison, labels: Sequence[str] | None = None, anchors: Sequence[str] | None = None
) -> Table:
    """A row for each layer, and for each cell its time and, where they were counted, its instructions.

    Args:
        labels: Headings of the cells; by default `cell_label`.
        anchors: The variants of a report that the cells are.
    """
    columns: list[Column[LayerRow]] = [
        Column("layer", lambda row: row.name, align="left", head=True),
        Column("output", lambda row: shape_text(row.shape), if_any, align="left", style="nowrap"),
        Column("MACs", lambda row: row.macs, if_any, absent="not known"),
    ]
    for index, cell in enumerate(comparison.cells):
        group = cell_label(cell, comparison) if labels is None else labels[index]
        anchor = "" if anchors is None else anchors[index]
        columns.append(
            Column("ran by", _placement(index), if_several, align="left", key=f"{group} ran by", group=group, of=anchor)
        )
        columns += [
            Column(label, value, when, key=f"{group} {label.partition(', ')[0]}", group=group, of=anchor)
            for label, value, when in (
                ("time", _time(index), always),
                (CUT, _cut(index), if_any),
                ("instructions", _instructions(index), if_any),
                (f"SQNR{read_on(cell)}", _error(index, "sqnr"), if_any),
                (f"own SQNR{read_on(cell, own=True)}", _error(index, "own_sqnr"), if_any),
                (f"{LARGEST}{read_on(cell)}", _error(index, "largest"), if_any),
            )
        ]
    rows = [*comparison.rows, *_others(comparison)]
    table = make_table(columns, rows, name="layers", title="Layers", note=" ".join(comparison.notes), reasons=True)
    known = len(comparison.rows)
    others = [msgspec.structs.replace(line, apart=True) for line in table.lines[known:]]
    return msgspec.structs.replace(table, lines=(*table.lines[:known], *others))


def cell_label(cell: ProfiledCell, comparison: LayerComparison) -> str:
    """The id of a cell, behind its bundle where there are several."""
    several = len({each.bundle for each in comparison.cells}) > 1
    return f"{cell.bundle}#{cell.id}" if several else cell.id


def read_on(cell: ProfiledCell, *, own: bool = False) -> str:
    """Where the errors of a cell's layers were read, for the heading of a column: ``", device"`` or ``", host"``.

    Args:
        own: Of the errors of layers alone.
    """
    if not isinstance(cell.errors, LayerErrors):
        return ""
    return f", {cell.errors.own_where if own else cell.errors.where}"


def shape_text(shape: tuple[int, ...] | None) -> str | None:
    """``1×14×14×8``."""
    return None if shape is None else "×".join(map(str, shape)) or "scalar"


def _time(index: int) -> Callable[[LayerRow], Value]:
    def time(row: LayerRow) -> Quantity | None:
        return row.cells[index].time if row.cells[index] is not _NOTHING else None

    return time


def if_several(figures: Sequence[Figure | None]) -> bool:
    """Show the column where its texts differ: an engine that runs all layers in one place needs none."""
    return len({figure.text for figure in figures if figure is not None}) > 1


def _placement(index: int) -> Callable[[LayerRow], Value]:
    return lambda row: ", ".join(row.cells[index].placement) or None


def _cut(index: int) -> Callable[[LayerRow], Value]:
    return lambda row: row.cells[index].cut


def _instructions(index: int) -> Callable[[LayerRow], Value]:
    return lambda row: row.cells[index].instructions


def _error(index: int, figure: Literal["sqnr", "own_sqnr", "largest"]) -> Callable[[LayerRow], Value]:
    def number(row: LayerRow) -> Value:
        error = row.cells[index].error
        if not isinstance(error, LayerError):
            return error
        return {"sqnr": error.sqnr, "own_sqnr": error.own_sqnr, "largest": error.largest}[figure]

    return number


_NOTHING = LayerCell(time=Unavailable("all of its operators are of known layers"))


def _others(comparison: LayerComparison) -> list[LayerRow]:
    """One row with the sum of what could not be told, where there is such."""
    if not comparison.unmapped:
        return []
    cells = []
    for index in range(len(comparison.cells)):
        rest = [operator for operator in comparison.unmapped if operator.cell == index]
        names = tuple(operator.op for operator in rest)
        cells.append(LayerCell(time=sum_of([each.time for each in rest]), operators=names) if rest else _NOTHING)
    return [
        LayerRow(name=OTHERS, layers=(), named_by="tensor", shape=None, macs=None, cells=tuple(cells)),
    ]
