"""``edgerig run`` of a file of several rigs, one after another."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import msgspec

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

    The table has those parts and cells, too, that were not chosen and that earlier runs left there. A rig that fails
    does not keep the others from running; the first error is raised after the table.

    Raises:
        EdgerigError: What went wrong first.
    """
    if dry_run:
        _show(parts, as_json)
        return
    folder = out if out is not None else DEFAULT_OUT / name
    results, failures = _run(parts, folder, resume)
    if parts.suite == "mlperf-tiny":
        _show_mlperf_tiny(parts, folder, results)
    if as_json:
        print_json(results)
    for part, later in list(failures.items())[1:]:
        echo(f"{part} failed, too: {later.message}")
    for first in failures.values():
        raise first


def _show(parts: Parts, as_json: bool) -> None:
    for part, plan in parts.plans.items():
        echo(f"{part}:")
        show_plan(plan)
    if as_json:
        print_json({part: plan_rows(plan) for part, plan in parts.plans.items()})


def _run(parts: Parts, folder: Path, resume: bool) -> tuple[dict[str, RunResult], dict[str, EdgerigError]]:
    """The results of the parts that left any, and the errors of those that failed."""
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
    return results, failures


def _show_mlperf_tiny(parts: Parts, folder: Path, results: dict[str, RunResult]) -> None:
    """Write and show the table of the benchmarks' suite, of what has run now and earlier."""
    from edgerig.suites.mlperf_tiny.table import suite_lines, write_suite

    table: dict[str, RunResult] = {}
    earlier: dict[str, str] = {}
    for part, left_out in parts.left_out.items():
        table |= {part: results[part]} if part in results else {}
        for label, (name, result) in _earlier(folder / part, left_out, part in parts.plans).items():
            table[label], earlier[label] = result, name
    write_suite(folder, table, earlier)
    for line in suite_lines(table, earlier):
        echo(line)
    echo(f"Table:  {folder / 'mlperf-tiny.md'}")


def _earlier(folder: Path, wanted: Sequence[str] | None, runs_now: bool) -> dict[str, tuple[str, RunResult]]:
    """What earlier runs left of a part's cells, the latest of each; what cannot be read is told and left out.

    Args:
        folder: The part's.
        wanted: Ids of the cells; None for all that the latest run has.
        runs_now: Whether ``folder`` itself is of this run, and what lay there before was moved aside.

    Returns:
        By the part's name the latest, and by the names of part and cell older ones, with that cell alone; each with the
        name of its folder.
    """
    results: dict[str, tuple[str, RunResult]] = {}
    missing = None if wanted is None else set(wanted)
    for path in [*([] if runs_now else [folder]), *_moved_aside(folder)]:
        bundle = Bundle(path)
        if missing == set() or not bundle.exists:
            continue
        try:
            result = bundle.result()
        except StorageError as error:
            echo(f"{path.name} is not in the table: {error.message}")
            continue
        cells = tuple(cell for cell in result.cells if missing is None or cell.id in missing)
        missing = (missing or set()) - {cell.id for cell in cells}
        if path == folder:
            results[path.name] = (path.name, msgspec.structs.replace(result, cells=cells))
            continue
        for cell in cells:
            alone = msgspec.structs.replace(result, cells=(cell,), failures=())
            results[f"{folder.name}/{cell.id}"] = (path.name, alone)
    return results


def _moved_aside(folder: Path) -> list[Path]:
    """Where earlier runs of a part lie, ``<folder>.1`` and so on, the latest first."""
    suffixes = [
        path.name.removeprefix(folder.name + ".") for path in folder.parent.glob(f"{glob.escape(folder.name)}.*")
    ]
    numbers = [int(suffix) for suffix in suffixes if suffix.isascii() and suffix.isdecimal()]
    return [folder.with_name(f"{folder.name}.{number}") for number in sorted(numbers, reverse=True)]
