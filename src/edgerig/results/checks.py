"""Consistency checks between the values of a result that was read from a file, which is not trusted."""

from __future__ import annotations

from pathlib import Path

from edgerig.errors import StorageError
from edgerig.results.types import MAX_ROUNDS, CellResult, RunResult

#: Largest length of an id.
LONGEST_ID = 4000


def check_cell(cell: CellResult, path: Path) -> None:
    """Refuse a cell whose values contradict each other.

    Raises:
        StorageError: Names the contradiction.
    """
    fault = _fault(cell)
    if fault is not None:
        raise StorageError(f"{path} is damaged: {fault}.", "Measure the cell again.")


def check_run(result: RunResult, path: Path) -> None:
    """Refuse a run with a cell whose values contradict each other, or with two cells of one id.

    Raises:
        StorageError: Names the cell.
    """
    seen: set[str] = set()
    for cell in result.cells:
        fault = f"the id {cell.id[:80]!r} is there twice" if cell.id in seen else _fault(cell)
        if fault is not None:
            raise StorageError(f"{path} is damaged: cell {cell.id[:80]!r}: {fault}.", "Run it again with --resume.")
        seen.add(cell.id)


def _fault(cell: CellResult) -> str | None:
    quality, counts = cell.quality, (cell.measured_samples, cell.quality.samples, cell.artifact.size, cell.warmup)
    if len(cell.id) > LONGEST_ID:
        return f"its id has {len(cell.id):,} characters"
    if min(counts) < 0 or cell.seconds < 0:
        return "a count, a size or a time is negative"
    rows = len(quality.confusion)
    if any(len(row) != rows for row in quality.confusion) or any(min(row) < 0 for row in quality.confusion if row):
        return "its confusion matrix is not square, or counts below 0"
    if [entry.number for entry in cell.rounds] != list(range(1, len(cell.rounds) + 1)):
        return "its rounds are not numbered from 1, one after another"
    if len(cell.rounds) > MAX_ROUNDS:
        return f"it has {len(cell.rounds):,} rounds"
    return None
