"""``edgerig report --style table``: tests out of bundles and histories as one table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import echo, print_json, terminal_width

if TYPE_CHECKING:
    from edgerig.report.results_table import ResultsTable
    from edgerig.report.write import Format
    from edgerig.results.tests.record import RecordedTest


def write_table(
    sources: Sequence[str], out: Path | None, format_: Format | None, *, everything: bool, open_: bool, as_json: bool
) -> None:
    """Write the table of the tests in ``sources``, and show it on the terminal.

    Args:
        sources: Bundles, histories (folders, addresses in a store), files as `edgerig history export` writes them.
        out: The file; with ``as_json`` none is written without it.
        everything: A row for every test, instead of the latest of each combination.
    """
    from edgerig.report.results_table import results_table
    from edgerig.report.results_write import write_results

    results = results_table([test for source in sources for test in tests_of(source)], everything=everything)
    _show(results)
    if out is not None or not as_json:
        file = write_results(results, out or _default(sources, format_ or "html"), format_)
        echo(f"Table: {file} ({file.stat().st_size / 1e3:,.0f} kB)")
        if open_:
            click.launch(str(file.resolve()))
    if as_json:
        print_json(results)


def tests_of(source: str) -> Iterator[RecordedTest]:
    """The tests of a bundle, of a history, or of an exported file.

    Raises:
        StorageError: There is nothing, or it cannot be read.
    """
    from edgerig.errors import StorageError
    from edgerig.results.bundle import Bundle
    from edgerig.results.tests.history import open_history
    from edgerig.results.tests.make import records_of
    from edgerig.results.tests.tests_json import import_tests

    path = Path(source)
    if "://" not in source:
        if path.is_file():
            yield from import_tests(path, _left_out)
            return
        if not path.is_dir():
            raise StorageError(
                f"{source} is neither a bundle nor a history of tests: there is no such folder.",
                "Give what `edgerig test` left: a bundle in runs, or the address of --history.",
            )
        if (path / "bundle.json").exists() or (path / "results.json").exists():
            bundle = Bundle(path)
            yield from records_of(bundle.result(), commit=bundle.header().commit)
            return
    for _, record in open_history(source).read(say=_left_out):
        yield record


def _show(results: ResultsTable) -> None:
    from edgerig.cli.tables import Column, render_table
    from edgerig.report.results_table import RESULTS
    from edgerig.report.results_write import terminal_rows

    columns, rows = terminal_rows(RESULTS, results.tests)
    heads = [
        Column(column.short or column.name, right=column.align == "right", rank=column.rank or 0) for column in columns
    ]
    if rows:
        for line in render_table(heads, rows, terminal_width(sys.stderr)):
            echo(line)
    for note in results.notes[0 if not rows else 1 :]:
        echo(note)


def _default(sources: Sequence[str], suffix: str) -> Path:
    """``table.html`` in the bundle, where it is of one; else in the working folder."""
    name, only = f"table.{suffix}", Path(sources[0])
    return only / name if len(sources) == 1 and (only / "bundle.json").exists() else Path(name)


def _left_out(text: str) -> None:
    echo(f"(!) {text}")
