"""Checks a comparison against limits."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.compare.types import CellComparison, Comparison, MetricVerdict
from edgerig.results.gate.counted import INSTRUCTIONS, count_verdict, falls_on_count
from edgerig.results.gate.limits import SHARES, TIMES, Limit
from edgerig.results.types import CellResult

Outcome = Literal["passed", "regressed", "inconclusive"]
#: Fewest rounds for an interval between processes.
FEWEST_ROUNDS = 2
#: Exit codes of ``edgerig gate``.
EXIT = {"passed": 0, "regressed": 1, "inconclusive": 2}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One limit on one cell.

    Attributes:
        outcome: ``regressed`` where the limit is certainly exceeded, ``passed`` where it is certainly kept, else
            ``inconclusive``.
        sentence: The reason, with numbers.
        verdict: The verdict behind it; None where the cell has no such metric.
        judged_by: The metric that was looked at; empty for ``metric`` itself. ``instructions`` where a limit on the
            latency of an emulated cell fell on its exact count.
    """

    cell: str
    metric: str
    limit: str
    outcome: Outcome
    sentence: str
    verdict: MetricVerdict | None = None
    judged_by: str = ""

    @property
    def title(self) -> str:
        """The metric in a table: with the one that it was judged by, where that is another."""
        return f"{self.metric}, by {self.judged_by}" if self.judged_by else self.metric


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of a gate, and their sources.

    Attributes:
        outcome: The worst of the checks'.
        baseline: The bundle that was compared with. bundle: the measured one.
        notes: Additional remarks.
    """

    outcome: Outcome
    checks: tuple[Check, ...]
    comparison: Comparison
    baseline: str
    bundle: str
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every limit is certainly kept."""
        return self.outcome == "passed"


def worst(outcomes: list[Outcome]) -> Outcome:
    """``regressed`` before ``inconclusive`` before ``passed``; without checks ``inconclusive``."""
    if "regressed" in outcomes:
        return "regressed"
    return "inconclusive" if "inconclusive" in outcomes or not outcomes else "passed"


def check_cell(
    comparison: CellComparison, limits: tuple[Limit, ...], cell: CellResult | None, before: CellResult | None = None
) -> list[Check]:
    """Every limit on one cell. ``cell``: the new result, ``before``: the baseline's; None where there is none.

    A metric that neither of the two has, such as flash on a laptop, is no check; one that only one of them has is
    inconclusive, and so are failures that nobody counted. Of emulated cells a limit on the latency falls on the
    instructions: `edgerig.results.gate.counted`.
    """
    checks = []
    for limit in limits:
        if before is not None and cell is not None and falls_on_count(limit, (before, cell)):
            checks.append(_by_count(limit, comparison, (before, cell)))
            continue
        verdict = comparison.metrics.get(limit.metric)
        if verdict is None and limit.metric == "p50":
            # By stored rounds a latency is the median itself.
            verdict = comparison.metrics.get("latency")
        if limit.kind == "budget":
            outcome, sentence = _budget(limit, cell, verdict)
        elif verdict is None:
            why = _absent(limit.metric, comparison, before, cell)
            if why is None:
                continue
            outcome, sentence = "inconclusive", why
        else:
            outcome, sentence = _change(limit, verdict)
        checks.append(
            Check(
                cell=comparison.b.cell,
                metric=limit.metric,
                limit=limit.text,
                outcome=outcome,
                sentence=sentence,
                verdict=verdict,
            )
        )
    return checks


def _by_count(limit: Limit, comparison: CellComparison, cells: tuple[CellResult, CellResult]) -> Check:
    """A limit on the latency of an emulated cell, on its instructions."""
    verdict = count_verdict(limit, comparison, cells)
    outcome: Outcome = "inconclusive"
    if isinstance(verdict, str):
        sentence = verdict
    else:
        outcome, _ = _change(limit, verdict)
        words = "within" if outcome == "passed" else "beyond"
        sentence = (
            f"{verdict.value or 0:.3f} times the baseline's instructions, which are exact: {words} the limit of "
            f"{limit.text}. It falls on them because no time of an emulated cell is measured."
        )
    return Check(
        cell=comparison.b.cell,
        metric=limit.metric,
        limit=limit.text,
        outcome=outcome,
        sentence=sentence,
        verdict=None if isinstance(verdict, str) else verdict,
        judged_by=INSTRUCTIONS,
    )


def _absent(metric: str, comparison: CellComparison, before: CellResult | None, now: CellResult | None) -> str | None:
    """Why a metric is not compared; None where neither of the two has it."""
    if metric in SHARES:
        why = [note for note in comparison.notes if "uality" in note]
        return why[0] if why else f"There is no {metric} to compare."
    if metric == "failures":
        return "Failures are counted in pairs of processes only, and none was measured: --inconclusive retry does."
    missing = [words for words, cell in (("The baseline", before), ("The new run", now)) if not _has(metric, cell)]
    if len(missing) == 2:
        return None
    return f"{missing[0]} has no {metric} to compare." if missing else f"The two {metric} cannot be compared."


def _has(metric: str, cell: CellResult | None) -> bool:
    return _number(metric, cell)[1] is not None


def _change(limit: Limit, verdict: MetricVerdict) -> tuple[Outcome, str]:
    """The change for the worse against its limit."""
    if limit.metric == "failures":
        # Few processes give no interval; what is certain is what the test says.
        if verdict.verdict in ("same", "better"):
            return "passed", verdict.sentence
        more = verdict.verdict == "worse" and verdict.value is not None and verdict.value > limit.value
        return ("regressed" if more else "inconclusive"), verdict.sentence
    if limit.metric in SHARES and verdict.low is not None and verdict.high is not None:
        # Where larger is better, a loss counts.
        if verdict.low >= -limit.value:
            return "passed", verdict.sentence
        return ("regressed" if verdict.high < -limit.value else "inconclusive"), verdict.sentence
    low, high = _bounds(limit, verdict)
    if low is None or high is None:
        return "inconclusive", verdict.sentence
    if high <= limit.value + _ROUNDING:
        return "passed", _against(limit, verdict, "within")
    if low > limit.value + _ROUNDING:
        return "regressed", _against(limit, verdict, "beyond")
    return "inconclusive", _against(limit, verdict, "not certainly within")


def _against(limit: Limit, verdict: MetricVerdict, words: str) -> str:
    """The interval against the limit. The verdict's own sentence is about its margin, which is another number."""
    if verdict.change != "ratio" or not verdict.count or verdict.value is None:
        return verdict.sentence
    interval = f"{verdict.low:.3f} to {verdict.high:.3f}"
    return f"{verdict.value:.3f} times the baseline's ({interval}): {words} the limit of {limit.text}."


#: Tolerance of float rounding in shares: 1.05 - 1 is slightly more than 0.05.
_ROUNDING = 1e-12


def _bounds(limit: Limit, verdict: MetricVerdict) -> tuple[float | None, float | None]:
    """Bounds of the change in the limit's unit: a share, or the metric's own unit."""
    if verdict.a == 0 and verdict.b is not None and verdict.method:
        # What is counted has no share of nothing: none stays within any, and anything is beyond all.
        more = verdict.b if limit.kind == "absolute" or verdict.b == 0 else math.inf
        return (more, more) if verdict.count == 0 else (None, None)
    if verdict.low is None or verdict.high is None:
        return None, None
    if verdict.change == "difference":
        return verdict.low, verdict.high
    if limit.kind == "relative":
        return verdict.low - 1, verdict.high - 1
    if verdict.a is None:
        return None, None
    if verdict.count == 0 and verdict.b is not None:
        return verdict.b - verdict.a, verdict.b - verdict.a
    return (verdict.low - 1) * verdict.a, (verdict.high - 1) * verdict.a


def _budget(limit: Limit, cell: CellResult | None, verdict: MetricVerdict | None) -> tuple[Outcome, str]:
    """The new number itself against its limit, independent of the baseline."""
    low, value, high, what = _number(limit.metric, cell)
    if value is None and verdict is not None and verdict.b is not None and verdict.count == 0:
        low = value = high = verdict.b
    if value is None:
        return "inconclusive", f"There is no {limit.metric}: {what}."
    if limit.metric in SHARES:
        low, high, bound = (-each if each is not None else None for each in (high, low, limit.value))
        shown = f"{value:.2%}"
    else:
        digits = ",.0f" if what in ("B", "instructions", "cycles") else ",.6g"
        bound, shown = limit.value, f"{value * 1e3:.4g} ms" if what == "s" else f"{value:{digits}} {what}".strip()
    if low is None or high is None or bound is None:
        return "inconclusive", f"{limit.metric} is {shown}, of one process: there is no interval between processes."
    outcome: Outcome = "passed" if high < bound else "regressed" if low >= bound else "inconclusive"
    words = {"passed": "within", "regressed": "beyond", "inconclusive": "not certainly within"}[outcome]
    return outcome, f"{limit.metric} is {shown}, {words} the budget {limit.text}."


def _number(metric: str, cell: CellResult | None) -> tuple[float | None, float | None, float | None, str]:
    """Low, value and high of a cell's own metric, and its unit, or why there is none."""
    if cell is None:
        return None, None, None, "the cell was not measured"
    if metric == "accuracy":
        metric_value = next((each for each in cell.quality.metrics if each.name == metric), None)
        return (
            (metric_value.low, metric_value.value, metric_value.high, "")
            if metric_value
            else (None, None, None, "it was not judged")
        )
    if metric == "size":
        size = float(cell.artifact.size)
        return size, size, size, "B"
    quantity = _quantity(metric, cell)
    if not isinstance(quantity, Measurement):
        return None, None, None, getattr(quantity, "reason", "it was not measured").rstrip(".")
    if quantity.kind == "measured" and metric in TIMES and len(cell.rounds) < FEWEST_ROUNDS:
        return None, quantity.value, None, quantity.unit
    exact = quantity.unit in ("B", "instructions", "cycles") and metric != "peak_rss"
    low, high = (quantity.value, quantity.value) if exact and quantity.low is None else (quantity.low, quantity.high)
    return low, quantity.value, high, quantity.unit


def _quantity(metric: str, cell: CellResult) -> Quantity | None:
    times = {"latency": "steady", "p50": "steady", "p99": "p99", "load": "load", "first": "first"}
    if metric in times:
        quantity = getattr(cell.latency, times[metric])
    else:
        quantity = cell.memory.get(metric, getattr(cell, metric, None))
    return None if isinstance(quantity, msgspec.UnsetType) else quantity
