"""Limits on times of emulated cells, which fall on their exact counts of instructions.

Such a time is modelled, or there is none, and a model's error tells nothing of a change; the count is exact.
"""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.compare.likeness import why_not_counts
from edgerig.results.compare.types import CellComparison, MetricVerdict
from edgerig.results.gate.limits import Limit
from edgerig.results.types import CellResult

#: The metric that stands for a time of emulated cells: an emulated inference has no distribution.
COUNTS = {
    "latency": "instructions",
    "p50": "instructions",
    "first": "first_instructions",
    "load": "load_instructions",
}

#: What is counted, in words.
_WORDS = {
    "instructions": "an inference",
    "first_instructions": "the first inference",
    "load_instructions": "loading",
}
_LIMITED = {"instructions": ", or one on instructions", "first_instructions": "", "load_instructions": ""}


def falls_on_count(limit: Limit, cells: tuple[CellResult | None, CellResult | None]) -> bool:
    """Whether a limit on a change falls on the instructions of both ``cells``, baseline's first; budgets never do."""
    return limit.metric in COUNTS and limit.kind != "budget" and all(map(_emulated, cells))


def count_verdict(
    limit: Limit, comparison: CellComparison, cells: tuple[CellResult, CellResult]
) -> MetricVerdict | str:
    """The verdict on the instructions, or why the limit cannot fall on them, in a sentence."""
    if (why := why_not_counts(*cells)) is not None:
        return f"No time of an emulated cell is measured, and its instructions cannot be compared: {why}."
    name = COUNTS[limit.metric]
    for words, cell in zip(("The baseline", "The new run"), cells, strict=True):
        count = getattr(cell, name)
        if isinstance(count, msgspec.UnsetType):
            return (
                f"No time of an emulated cell is measured, and {words.lower()} is of an edgerig that did not count the "
                f"instructions of {_WORDS[name]}: measure it again."
            )
        if isinstance(count, Unavailable):
            return (
                f"No time of an emulated cell is measured, and {words.lower()} has no exact count of "
                f"{_WORDS[name]}: {count.reason.rstrip('.')}. A limit on latency falls on the instructions of an "
                "inference."
            )
    if limit.kind != "relative":
        return (
            "No time of an emulated cell is measured, and a time is no number of instructions: write the limit as a "
            f"share ({limit.metric}: 5 %){_LIMITED[name]}."
        )
    return comparison.metrics[name]


def _emulated(cell: CellResult | None) -> bool:
    """Whether a cell has instructions of an emulator and no measured time."""
    if cell is None:
        return False
    count, steady = cell.instructions, cell.latency.steady
    timed = isinstance(steady, Measurement) and steady.kind == "measured"
    return isinstance(count, Measurement) and count.kind == "emulated" and not timed
