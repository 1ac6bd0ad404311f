"""Limits on the latency of emulated cells, which fall on their exact count of instructions.

Such a latency is modelled, or there is none, and a model's error tells nothing of a change; the count is exact.
"""

from __future__ import annotations

from edgerig.measure.kinds import Measurement
from edgerig.results.compare.likeness import why_not_counts
from edgerig.results.compare.types import CellComparison, MetricVerdict
from edgerig.results.gate.limits import Limit
from edgerig.results.types import CellResult

#: The metric that stands for those of `BY_COUNT`, of which an emulated inference has no distribution.
INSTRUCTIONS = "instructions"
BY_COUNT = frozenset({"latency", "p50"})


def falls_on_count(limit: Limit, cells: tuple[CellResult | None, CellResult | None]) -> bool:
    """Whether a limit on a change falls on the instructions of both ``cells``, baseline's first; budgets never do."""
    return limit.metric in BY_COUNT and limit.kind != "budget" and all(map(_emulated, cells))


def count_verdict(
    limit: Limit, comparison: CellComparison, cells: tuple[CellResult, CellResult]
) -> MetricVerdict | str:
    """The verdict on the instructions, or why the limit cannot fall on them, in a sentence."""
    if (why := why_not_counts(*cells)) is not None:
        return f"No time of an emulated cell is measured, and its instructions cannot be compared: {why}."
    if limit.kind != "relative":
        return (
            "No time of an emulated cell is measured, and a time is no number of instructions: write the limit as a "
            f"share ({limit.metric}: 5 %), or one on {INSTRUCTIONS}."
        )
    return comparison.metrics[INSTRUCTIONS]


def _emulated(cell: CellResult | None) -> bool:
    """Whether a cell has instructions of an emulator and no measured time."""
    if cell is None:
        return False
    count, steady = cell.instructions, cell.latency.steady
    timed = isinstance(steady, Measurement) and steady.kind == "measured"
    return isinstance(count, Measurement) and count.kind == "emulated" and not timed
