"""The table of results in every format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.errors import UsageError
from edgerig.report.rendering.csv import csv_table
from edgerig.report.rendering.document import Block, Bullets, Text, Title
from edgerig.report.rendering.markdown import markdown_blocks
from edgerig.report.rendering.page import page_css
from edgerig.report.rendering.rst import rst_blocks
from edgerig.report.rendering.view_page import view_environment
from edgerig.report.results_table import ResultsTable
from edgerig.report.tables import Column, as_figure
from edgerig.report.views import page_table, text_table
from edgerig.report.write import Format, format_of
from edgerig.results.tests.record import RecordedTest
from edgerig.text import harmless, harmless_json


def write_results(results: ResultsTable, out: Path, format: Format | None = None) -> Path:
    """Write the table of results.

    Args:
        results: The table.
        out: The file; its suffix (.html, .md, .rst, .csv, .json) sets the format where ``format`` is None.

    Raises:
        UsageError: The suffix is of no known format, or ``out`` is a folder. StorageError: It cannot be written.
    """
    chosen = format or format_of(out)
    if out.is_dir():
        raise UsageError(f"{out} is a folder.", f"Name a file: --out {out / f'table.{chosen}'}")
    files.write_text(out, render_results(results, chosen))
    return out


def render_results(results: ResultsTable, format: Format) -> str:
    """The text of the table in one of the formats of a report."""
    if format == "html":
        context = {"results": results, "css": page_css()}
        return view_environment().get_template("results.html.j2").render(context)
    if format == "json":
        return harmless_json(msgspec.json.format(msgspec.json.encode(results), indent=1).decode()) + "\n"
    if format == "csv":
        return csv_table(results.table)
    return (markdown_blocks if format == "md" else rst_blocks)(_blocks(results))


def terminal_rows(
    columns: Sequence[Column[RecordedTest]], tests: Sequence[RecordedTest]
) -> tuple[list[Column[RecordedTest]], list[list[str]]]:
    """The columns that a terminal shows, and their texts for each test."""
    figures = [[as_figure(column.value(test)) for test in tests] for column in columns]
    shown = [
        (column, cells)
        for column, cells in zip(columns, figures, strict=True)
        if column.rank is not None and column.when(cells)
    ]
    texts = [
        [
            harmless(column.terminal(figure, test)) if (figure := cells[row]) is not None else "-"
            for column, cells in shown
        ]
        for row, test in enumerate(tests)
    ]
    return [column for column, _ in shown], texts


def _blocks(results: ResultsTable) -> list[Block]:
    blocks: list[Block] = [Title(1, results.title)]
    if results.table.lines:
        blocks.append(results.table)
    blocks.append(Bullets(results.notes))
    for matrix in results.matrices:
        blocks += [Title(2, matrix.title), page_table(text_table(matrix))]
    for table in results.classes:
        blocks += [Title(2, table.title), table]
    return [*blocks, Text(f"Made by edgerig {results.edgerig}.")]
