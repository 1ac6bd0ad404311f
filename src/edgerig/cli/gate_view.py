"""A gate's checks on the terminal."""

from __future__ import annotations

import sys

from edgerig.cli.console import say, terminal_width
from edgerig.cli.tables import Column, render_table
from edgerig.results.compare.texts import amount_text, change_text
from edgerig.results.gate.judge import Check, GateResult

COLUMNS = (
    Column("cell", right=False),
    Column("metric", right=False),
    Column("limit"),
    Column("baseline", rank=2),
    Column("now", rank=2),
    Column("change"),
    Column("outcome", right=False),
)
_COLOURS = {"passed": "green", "regressed": "red", "inconclusive": "yellow"}


def show_gate(result: GateResult) -> None:
    """A row for each check, the sentences of those that have not passed, and the outcome."""
    for line in render_table(COLUMNS, [_row(check) for check in result.checks], terminal_width(sys.stdout)):
        say(line)
    for check in result.checks:
        if check.outcome != "passed":
            say(f"{check.cell}: {check.title} {check.outcome}: {check.sentence}", fg=_COLOURS[check.outcome])
    for note in result.notes:
        say(f"(!) {note}")
    say(f"{result.outcome}, against {result.baseline}", fg=_COLOURS[result.outcome])


def _row(check: Check) -> list[str]:
    verdict = check.verdict
    if verdict is None:
        return [check.cell, check.title, check.limit, "-", "-", "-", check.outcome]
    value = "-" if verdict.value is None else change_text(verdict, verdict.value)
    return [
        check.cell,
        check.title,
        check.limit,
        amount_text(verdict.a, verdict.unit),
        amount_text(verdict.b, verdict.unit),
        value,
        check.outcome,
    ]
