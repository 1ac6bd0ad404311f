"""The tables of the report as CSV: whole numbers in SI units, with their bounds and kinds."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from edgerig.report.model import Report
from edgerig.report.rendering import contents
from edgerig.report.tables import Heading, Table
from edgerig.report.values import Figure
from edgerig.text import LONGEST_TEXT, harmless, one_line

#: A text that starts with one of these is a formula to a spreadsheet.
_FORMULA = re.compile(r"[=+\-@\t\r]")

#: The name and the texts of one column of the file.
Series = tuple[str, list[str]]


def render_csv(report: Report) -> str:
    """The table of variants."""
    return _written(_columns(report.table))


def csv_table(table: Table) -> str:
    """One table that is of no report, as a CSV file."""
    return _written(_columns(table))


def render_csv_files(report: Report) -> dict[str, str]:
    """Every table of the report by the name of its file; equal tables of several runs or variants share one file.

    Their first column, ``of``, then names the run or variant.
    """
    groups: dict[str, list[tuple[str, Table]]] = {}
    for subject, table in contents.tables_of(report):
        groups.setdefault(table.name, []).append((subject, table))
    return {f"{name}.csv": _written(_joined(group)) for name, group in groups.items()}


def _joined(group: Sequence[tuple[str, Table]]) -> list[Series]:
    """The tables concatenated by rows; a column that one of them lacks is empty there."""
    parts = [(subject, len(table.lines), dict(_columns(table))) for subject, table in group]
    names = dict.fromkeys(name for _, _, columns in parts for name in columns)
    joined = [
        (name, [text for _, count, columns in parts for text in columns.get(name, [""] * count)]) for name in names
    ]
    if not any(subject for subject, _, _ in parts):
        return joined
    return [("of", [_text(subject) for subject, count, _ in parts for _ in range(count)]), *joined]


def _columns(table: Table) -> list[Series]:
    table = table.on("csv")
    cells = [[line.cells[index] for line in table.lines] for index in range(len(table.headings))]
    return [
        series for heading, figures in zip(table.headings, cells, strict=True) for series in _series(heading, figures)
    ]


def _series(heading: Heading, figures: Sequence[Figure | None]) -> Iterator[Series]:
    """A text column as it is; for numbers the value, and columns of bounds, kinds, units and reasons where needed."""
    label = heading.full_label
    there = [figure for figure in figures if figure is not None]
    if all(figure.value is None and figure.reason is None for figure in there):
        yield label, [_text(figure.text) if figure else "" for figure in figures]
        return
    unit = heading.unit
    yield f"{label} ({unit})" if unit not in ("", "1", label) else label, [_value(figure) for figure in figures]
    if len({figure.unit for figure in there if figure.value is not None}) > 1:
        yield f"{label} unit", [figure.unit if figure else "" for figure in figures]
    if any(figure.low is not None for figure in there):
        yield f"{label} low", [_number(figure.low) if figure else "" for figure in figures]
        yield f"{label} high", [_number(figure.high) if figure else "" for figure in figures]
    if {figure.kind for figure in there} - {None, "measured"}:
        yield f"{label} kind", [figure.kind or "" if figure else "" for figure in figures]
    if any(figure.reason for figure in there):
        yield f"{label} unavailable because", [_text(figure.reason or "") if figure else "" for figure in figures]


def _value(figure: Figure | None) -> str:
    if figure is None or figure.reason is not None:
        return ""
    return _text(figure.text) if figure.value is None else _number(figure.value)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _text(text: str) -> str:
    """A text, escaped where a spreadsheet would take it for a formula."""
    text = one_line(text, LONGEST_TEXT)
    return f"'{text}" if _FORMULA.match(text) else text


def _written(columns: Sequence[Series]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_text(name) for name, _ in columns])
    writer.writerows(zip(*(texts for _, texts in columns), strict=True))
    return harmless(file.getvalue())
