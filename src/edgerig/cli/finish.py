"""What every measuring command does at its end: the reports, and a table for people."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from edgerig.cli.console import echo
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.report import write_report
from edgerig.results.types import CellResult, RunResult


def finish(folder: Path, result: RunResult) -> None:
    """Write ``report.html``, ``.md`` and ``.json`` into the bundle and show the variants on standard error."""
    for suffix in (".html", ".md", ".json"):
        write_report([folder], folder / f"report{suffix}")
    show_cells(result)


def show_cells(result: RunResult) -> None:
    """The variants as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("cell", "quality", "same as float", "median", "p99", "size", "peak RSS"):
        table.add_column(name, justify="left" if name == "cell" else "right", no_wrap=name == "cell")
    for cell in result.cells:
        metric = cell.quality.metrics[0] if cell.quality.metrics else None
        same = getattr(cell.agreement, "same_class", None)
        table.add_row(
            cell.id + (" (!)" if cell.warnings else ""),
            f"{metric.value:.2%}" if metric else "-",
            f"{same:.2%}" if same is not None else "-",
            _time(cell.latency.steady), _p99(cell),
            f"{cell.artifact.size:,} B", _bytes(cell.memory.get("peak_rss")),
        )  # fmt: skip
    echo()
    # A log file has no width; the table must not be squeezed into 80 columns there.
    Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 140).print(table)
    if any(cell.warnings for cell in result.cells):
        echo("(!) something makes this number less trustworthy; the report says what")


def _time(quantity: Quantity) -> str:
    if not isinstance(quantity, Measurement):
        return "unavailable"
    kind = "" if quantity.kind == "measured" else f" {quantity.kind}"
    return f"{quantity.value * 1e6:,.1f} us{kind}"


def _p99(cell: CellResult) -> str:
    steady, distribution = cell.latency.steady, cell.latency.distribution
    if distribution is None or distribution.p99 is None or not isinstance(steady, Measurement):
        return "-"
    return _time(msgspec.structs.replace(steady, value=distribution.p99))


def _bytes(quantity: Quantity | None) -> str:
    return f"{quantity.value / 1e6:,.1f} MB" if isinstance(quantity, Measurement) else "unavailable"
