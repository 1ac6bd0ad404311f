"""The end of every measuring command: the reports, and a table on the terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from edgerig.cli.console import ConsoleProgress, echo, print_json, terminal_width
from edgerig.cli.tables import Column, render_table
from edgerig.engine.api import DEFAULT_OUT
from edgerig.engine.run import Options, execute
from edgerig.errors import EdgerigError, StorageError
from edgerig.report import write_reports
from edgerig.report.model import Report
from edgerig.report.terminal import terminal_columns
from edgerig.results.bundle import Bundle
from edgerig.results.remarks import remarks
from edgerig.results.round_warnings import kind_of_warning
from edgerig.results.types import CellResult, RunResult
from edgerig.rig.plan import Plan


def run_plan(plan: Plan, out: Path | None, *, resume: bool, as_json: bool, open_page: bool = False) -> RunResult:
    """Measure what a plan names, into the bundle ``out`` or ``runs/<name of the rig>``, show what came out, and return
    it.

    Args:
        resume: Go on with the unfinished run in that folder.
        as_json: Print the results as one JSON document, besides.
        open_page: Open the report in the browser.
    """
    folder = out if out is not None else DEFAULT_OUT / plan.rig.name
    words = shlex.join(["edgerig", *sys.argv[1:]])
    with reporting_failures():
        result = execute(plan, Options(out=folder, resume=resume, command=words), ConsoleProgress())
    failure: StorageError | None = None
    try:
        finish(folder, result)
    except StorageError as error:
        failure = error
    if as_json:
        print_json(result)
    if failure is not None:
        raise failure
    if not as_json:
        echo(f"Report: {folder / 'report.html'}")
    if open_page:
        click.launch(str((folder / "report.html").resolve()))
    return result


def finish(folder: Path, result: RunResult) -> None:
    """Write ``report.html``, ``.md`` and ``.json`` into the bundle and show the variants on standard error.

    Raises:
        StorageError: A report cannot be written; the variants are shown all the same.
    """
    try:
        report = write_reports(folder)
    finally:
        # A disk that is full must not hide what was measured.
        show_cells(result)
    for line in shared_lines(report):
        echo(line)


@contextmanager
def reporting_failures() -> Iterator[None]:
    """If cells of a run fail: write the reports, show the measured variants, and raise the error."""
    try:
        yield
    except EdgerigError as error:
        if error.bundle is not None:
            folder = Path(error.bundle)
            report = f"Report: {folder / 'report.html'}"
            try:
                write_reports(folder)
            except EdgerigError as second:
                report = f"There is no report: {second.message}"
            with suppress(EdgerigError):
                result = Bundle(folder).result()
                if result.cells:
                    show_cells(result)
            echo(report)
        raise


def show_cells(result: RunResult) -> None:
    """The variants as a table, and what makes any of their numbers less trustworthy."""
    declared = terminal_columns(result.cells)
    columns = [Column(column.label, right=column.right, rank=column.rank) for column in declared]
    rows = [[column.texts[index] for column in declared] for index in range(len(result.cells))]
    echo()
    for line in render_table(columns, rows, terminal_width(sys.stderr)):
        echo(line)
    for line in remarks(result.cells):
        echo(line)
    for line in warning_lines(result.cells):
        echo(line)


def shared_lines(report: Report) -> list[str]:
    """What the variants lose and gain against the first float one, on the samples that both ran."""
    lines = []
    for view in report.shared:
        alike: dict[str, list[str]] = {}
        for row in view.rows:
            if row.label != view.baseline:
                few = f" of {row.samples:,} samples" if view.fewest < view.most else ""
                alike.setdefault(f"{row.errors:,} errors{few}, {row.verdict}", []).append(row.label)
        first = next(row for row in view.rows if row.label == view.baseline)
        lines.append(view.note)
        lines.append(f"  {view.baseline}: {first.errors:,} errors, {first.quality.text}")
        lines += [f"  {', '.join(labels)}: {text}" for text, labels in alike.items()]
    return lines


def warning_lines(cells: Sequence[CellResult]) -> list[str]:
    """Every kind of warning once, with the cells that it is about; empty if there are no warnings.

    Of warnings that differ in their numbers alone it is the first cell's: the report has them all.
    """
    kinds: dict[str, dict[str, str]] = {}
    for cell in cells:
        for warning in cell.warnings:
            kinds.setdefault(kind_of_warning(warning), {}).setdefault(cell.id, warning)
    lines = []
    for texts in kinds.values():
        (first, text), ids = next(iter(texts.items())), list(texts)
        who = "all" if len(ids) == len(cells) > 1 else ", ".join(ids)
        example = f" (here {first}'s)" if len(set(texts.values())) > 1 else ""
        lines.append(f"(!) {who}{example}: {text}")
    return lines
