"""Warnings of a run as a whole, apart from its cells'."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.measure.judge import judge_kind
from edgerig.results.types import CellResult


def about_machines(cells: Sequence[CellResult]) -> tuple[str, ...]:
    """Warnings about each machine, once per machine instead of at each of its numbers."""
    return tuple(dict.fromkeys(text for cell in cells for text in judge_kind(cell.machine)))
