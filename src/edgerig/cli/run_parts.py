"""``edgerig run`` of a file of several rigs, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgerig.cli.console import echo, print_json
from edgerig.cli.finish import run_plan
from edgerig.cli.plan_view import plan_rows, show_plan
from edgerig.engine.api import DEFAULT_OUT, Parts
from edgerig.errors import EdgerigError, Interrupted, StorageError
from edgerig.results.bundle import Bundle
from edgerig.results.types import RunResult


def run_parts(
    name: str,
    parts: Parts,
    out: Path | None,
    *,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the rigs of a file into folders below ``out``, or ``runs/<name>``, and show a suite's table.

    The table has those parts, too, that were not chosen and that an earlier run left there. A rig that fails does not
    keep the others from running; the first error is raised after the table.

    Raises:
        EdgerigError: What went wrong first.
    """
    if dry_run:
        for part, plan in parts.plans.items():
            echo(f"{part}:")
            show_plan(plan)
        if as_json:
            print_json({part: plan_rows(plan) for part, plan in parts.plans.items()})
        return
    folder = out if out is not None else DEFAULT_OUT / name
    results: dict[str, RunResult] = {}
    failures: dict[str, EdgerigError] = {}
    for part, plan in parts.plans.items():
        echo(f"{part}:")
        show_plan(plan)
        try:
            run_plan(plan, folder / part, resume=resume, as_json=False)
        except Interrupted:
            raise
        except EdgerigError as error:
            failures[part] = error
            if error.bundle is None:
                continue
        results[part] = Bundle(folder / part).result()
    if parts.suite == "mlperf-tiny":
        from edgerig.suites.mlperf_tiny.table import suite_lines, write_suite

        earlier = _earlier(folder, [part for part in parts.names if part not in parts.plans])
        table = {part: (results | earlier)[part] for part in parts.names if part in results or part in earlier}
        write_suite(folder, table, earlier)
        for line in suite_lines(table, earlier):
            echo(line)
        echo(f"Table:  {folder / 'mlperf-tiny.md'}")
    if as_json:
        print_json(results)
    for part, later in list(failures.items())[1:]:
        echo(f"{part} failed, too: {later.message}")
    for first in failures.values():
        raise first


def _earlier(folder: Path, names: Sequence[str]) -> dict[str, RunResult]:
    """What earlier runs left of the parts ``names``; one that cannot be read is told and left out."""
    results = {}
    for name in names:
        bundle = Bundle(folder / name)
        if not bundle.exists:
            continue
        try:
            results[name] = bundle.result()
        except StorageError as error:
            echo(f"{name} is not in the table: {error.message}")
    return results
