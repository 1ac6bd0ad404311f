"""A comparison on the terminal."""

from __future__ import annotations

import sys
from typing import Any

from edgerig.cli.console import say, terminal_width
from edgerig.cli.tables import Column, render_table
from edgerig.results.compare.texts import amount_text, change_text, interval_text
from edgerig.results.compare.types import WORSE, CellComparison, Comparison, MetricVerdict, Side
from edgerig.tasks.caveats import VACUOUS

COLUMNS = (
    Column("metric", right=False),
    Column("A", rank=2),
    Column("B", rank=2),
    Column("change"),
    Column("95 % interval", rank=1),
    Column("verdict", right=False),
)


def show_comparison(result: Comparison) -> None:
    """Each pair of cells as a table, what stands behind it, and what has no counterpart."""
    for comparison in result.comparisons:
        _show(comparison)
    for name, cells in (("A", result.only_a), ("B", result.only_b)):
        if cells:
            say(f"Only {name} has: {', '.join(cells)}")


def _show(comparison: CellComparison) -> None:
    say(f"A: {_of(comparison.a)}")
    say(f"B: {_of(comparison.b)}")
    if comparison.self_check is not None:
        say(comparison.self_check.sentence)
    rows = [row(name, metric) for name, metric in comparison.metrics.items()]
    for line in render_table(COLUMNS, rows, terminal_width(sys.stdout)):
        say(line, **_style(line))
    for name, metric in comparison.metrics.items():
        if metric.verdict != "same" or VACUOUS in metric.sentence:
            say(f"{name}: {metric.sentence}")
    for note in comparison.notes:
        say(f"(!) {note}")
    say()


def row(name: str, metric: MetricVerdict) -> list[str]:
    """Cells of the table for one metric."""
    sides = [amount_text(value, metric.unit) for value in (metric.a, metric.b)]
    value = "-" if metric.value is None else change_text(metric, metric.value)
    return [name, *sides, value, interval_text(metric), metric.verdict]


def _of(side: Side) -> str:
    return f"{side.label} ({side.runtime} {side.runtime_version} on {side.target})"


def _style(line: str) -> dict[str, Any]:
    verdict = line.rsplit(" ", 1)[-1]
    if verdict in WORSE:
        return {"fg": "red"}
    return {"fg": "green"} if verdict in ("faster", "better") else {}
