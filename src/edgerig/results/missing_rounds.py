"""Cells with only some of their rounds, because the run was stopped or a round failed."""

from __future__ import annotations

import msgspec

from edgerig.results.types import CellFailure, CellResult


def is_complete(cell: CellResult) -> bool:
    """Whether a cell has all its rounds; always for a bundle from before rounds existed."""
    return isinstance(cell.repetition, msgspec.UnsetType) or cell.repetition.complete


def with_missing_rounds(cell: CellResult, failure: CellFailure | None) -> CellResult:
    """``cell`` itself, or, if it lacks rounds, with a warning that says how many it has and why not more."""
    if isinstance(cell.repetition, msgspec.UnsetType) or cell.repetition.complete:
        return cell
    planned = f" of {cell.repetition.planned}" if cell.repetition.planned else ""
    count = len(cell.rounds)
    figures = f"the figures are of {count}{planned} {'round' if count == 1 and not planned else 'rounds'}"
    if failure is None:
        text = f"Not finished: {figures}."
    else:
        reason = failure.message.strip().partition("\n")[0].rstrip(" :.")
        text = f"{reason}; {figures}."
    return msgspec.structs.replace(cell, warnings=(*cell.warnings, text))
