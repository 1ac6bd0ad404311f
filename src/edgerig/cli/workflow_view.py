"""Workflows and what became of them, as text and as JSON."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgerig.cli.console import echo, say, terminal_width
from edgerig.cli.tables import Column, render_table
from edgerig.suites.workflow.records import Output, Result
from edgerig.suites.workflow.types import StoreInput, StoreOutput, Workflow

_RESULT_COLUMNS = (
    Column("step", right=False),
    Column("state", right=False),
    Column("time"),
    Column("attempts", rank=1),
    Column("output", right=False),
    Column("size", rank=1),
    Column("content", right=False, rank=2),
)
_STEP_COLUMNS = (
    Column("step", right=False),
    Column("command", right=False),
    Column("needs", right=False),
    Column("outputs", right=False, rank=1),
    Column("a run would", right=False),
)
#: Digits of a digest in a table.
DIGITS = 12


def result_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """What became of each step, as plain values."""
    return [
        {
            "step": result.step,
            "state": result.state,
            "reason": result.reason,
            "seconds": result.seconds,
            "record": result.record,
            "outputs": {
                name: {"path": output.path, "identity": output.identity, "size": output.size}
                for name, output in (result.record.outputs if result.record is not None else {}).items()
            },
        }
        for result in results
    ]


def show_results(results: Sequence[Result], out: Path) -> None:
    """The table at the end, on standard error."""
    rows = []
    for result in results:
        record = result.record
        outputs = list(record.outputs.items()) if record is not None else []
        ran = result.state == "run" and record is not None
        head = [
            result.step,
            result.state,
            f"{result.seconds:.1f} s" if ran else "",
            str(record.attempts) if ran and record is not None else "",
        ]
        rows.append([*head, *_output_cells(*outputs[0])] if outputs else [*head, "", "", ""])
        rows += [["", "", "", "", *_output_cells(name, output)] for name, output in outputs[1:]]
    echo()
    for line in render_table(_RESULT_COLUMNS, rows, terminal_width(sys.stderr)):
        echo(line)
    if any(result.record is not None for result in results):
        echo(f"Results: {out}")


def step_rows(workflow: Workflow, states: Mapping[str, str]) -> list[dict[str, Any]]:
    """The steps as plain values."""
    return [
        {
            "step": step.name,
            "command": step.words,
            "needs": step.needs,
            "inputs": {name: _text(source) for name, source in step.inputs.items()},
            "outputs": {name: _text(target) for name, target in step.outputs.items()},
            "when": step.when,
            "measures": step.measures,
            "always": step.always,
            "a run would": states[step.name],
        }
        for step in workflow.steps.values()
    ]


def show_steps(workflow: Workflow, states: Mapping[str, str]) -> None:
    """The steps as a table, on standard output."""
    rows = [
        [
            step.name,
            f"{shlex.join(step.words)}",
            ", ".join(step.needs),
            ", ".join(_text(target) for target in step.outputs.values()),
            states[step.name],
        ]
        for step in workflow.steps.values()
    ]
    for line in render_table(_STEP_COLUMNS, rows, terminal_width(sys.stdout)):
        say(line)


def _text(end: object) -> str:
    return end.store if isinstance(end, StoreInput | StoreOutput) else str(end)


def _output_cells(name: str, output: Output) -> list[str]:
    size = f"{output.size:,} B" if output.version is None else ""
    return [f"{name}: {output.path}", size, output.identity[:DIGITS]]
