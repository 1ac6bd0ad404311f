"""Checks a comparison against limits."""

from __future__ import annotations

import math

import msgspec

from edgerig.results.compare.types import CellComparison, Comparison, MetricVerdict
from edgerig.results.compare.under_load import NOT_COMPARED
from edgerig.results.gate.counted import COUNTS, count_verdict, falls_on_count
from edgerig.results.gate.limits import MAIN, RATES, UNDER_LOAD, Limit
from edgerig.results.gate.numbers import budget_outcome, own_number
from edgerig.results.gate.outcomes import Outcome
from edgerig.results.gate.qualities import is_quality, loss_of, quality_name, quality_value, why_unfit
from edgerig.results.types import CellResult
from edgerig.tasks.caveats import VACUOUS

#: The metric of a check on a cell that could not be measured.
MEASURED = "measured"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One limit on one cell.

    Attributes:
        outcome: ``regressed`` where the limit is certainly exceeded, ``passed`` where it is certainly kept, else
            ``inconclusive``.
        sentence: The reason, with numbers.
        verdict: The verdict behind it; None where the cell has no such metric.
        judged_by: The metric that was looked at; empty for ``metric`` itself. ``instructions`` and its like where a
            limit on a time of an emulated cell fell on its exact count; of ``quality`` the main metric.
    """

    cell: str
    metric: str
    limit: str
    outcome: Outcome
    sentence: str
    verdict: MetricVerdict | None = None
    judged_by: str = ""

    @property
    def unmeasured(self) -> bool:
        """Whether the cell, or one of its rounds, could not be measured: that passes nowhere."""
        return self.metric == MEASURED

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
    def unmeasured(self) -> bool:
        """Whether some cell could not be measured, or not in all of its rounds."""
        return any(check.unmeasured for check in self.checks)

    @property
    def passed(self) -> bool:
        """Whether every limit is certainly kept."""
        return self.outcome == "passed"


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
        name = quality_name(limit.metric, cell) if is_quality(limit.metric) else limit.metric
        verdict = comparison.quality(name) if is_quality(limit.metric) else comparison.metrics.get(name)
        if verdict is None and limit.metric == "p50":
            # By stored rounds a latency is the median itself.
            verdict = comparison.metrics.get("latency")
        if limit.kind == "budget":
            outcome, sentence = budget_outcome(limit, cell, verdict)
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
                judged_by=name if limit.metric == MAIN and name != MAIN else "",
            )
        )
    return checks


def _by_count(limit: Limit, comparison: CellComparison, cells: tuple[CellResult, CellResult]) -> Check:
    """A limit on a time of an emulated cell, on its instructions."""
    verdict = count_verdict(limit, comparison, cells)
    outcome: Outcome = "inconclusive"
    if isinstance(verdict, str):
        sentence = verdict
    else:
        outcome, _ = _change(limit, verdict)
        words = {"passed": "within", "regressed": "beyond", "inconclusive": "not certainly within"}[outcome]
        exact = "exact" if verdict.low == verdict.high else "known to a tick of their counter"
        counted = COUNTS[limit.metric].replace("_", " ")
        sentence = (
            f"{verdict.value or 0:.3f} times the baseline's {counted}, which are {exact}: {words} the limit of "
            f"{limit.text}. It falls on them because no time of an emulated cell is measured."
        )
    return Check(
        cell=comparison.b.cell,
        metric=limit.metric,
        limit=limit.text,
        outcome=outcome,
        sentence=sentence,
        verdict=None if isinstance(verdict, str) else verdict,
        judged_by=COUNTS[limit.metric],
    )


def _absent(metric: str, comparison: CellComparison, before: CellResult | None, now: CellResult | None) -> str | None:
    """Why a metric is not compared; None where neither of the two has it."""
    if is_quality(metric):
        notes = [note for note in comparison.notes if note.startswith("Quality")]
        named = [note for note in notes if f"({quality_name(metric, now)})" in note]
        value = quality_value(metric, now)
        why = f": {value}." if isinstance(value, str) else " to compare."
        return next(iter(named or notes), f"There is no {metric}{why}")
    if metric == "failures":
        return "Failures are counted in pairs of processes only, and none was measured: --inconclusive retry does."
    if metric in UNDER_LOAD and (notes := [note for note in comparison.notes if note.startswith(NOT_COMPARED)]):
        return notes[0]
    if metric == "throughput" and _has(metric, before) and _has(metric, now):
        return "Where requests arrive at a rate, the throughput is that rate: limit rate, or p99_under_load."
    missing = [words for words, cell in (("The baseline", before), ("The new run", now)) if not _has(metric, cell)]
    if len(missing) == 2:
        return None
    return f"{missing[0]} has no {metric} to compare." if missing else f"The two {metric} cannot be compared."


def _has(metric: str, cell: CellResult | None) -> bool:
    return own_number(metric, cell)[1] is not None


def _change(limit: Limit, verdict: MetricVerdict) -> tuple[Outcome, str]:
    """The change for the worse against its limit."""
    if limit.metric == "failures":
        # Few processes give no interval; what is certain is what the test says.
        if verdict.verdict in ("same", "better"):
            return "passed", verdict.sentence
        more = verdict.verdict == "worse" and verdict.value is not None and verdict.value > limit.value
        return ("regressed" if more else "inconclusive"), verdict.sentence
    if verdict.quality:
        return _lost(limit, verdict)
    if verdict.verdict == "better" and verdict.low is None:
        # Known to be better, and nobody knows by how much: any limit is kept.
        return "passed", verdict.sentence
    low, high = _bounds(limit, verdict)
    if low is None or high is None:
        return "inconclusive", verdict.sentence
    if high <= limit.value + _ROUNDING:
        return "passed", _against(limit, verdict, "within")
    if low > limit.value + _ROUNDING:
        return "regressed", _against(limit, verdict, "beyond")
    return "inconclusive", _against(limit, verdict, "not certainly within")


def _lost(limit: Limit, verdict: MetricVerdict) -> tuple[Outcome, str]:
    """What a quality has lost against its limit."""
    if (why := why_unfit(limit, verdict.unit, verdict.higher_is_better)) is not None:
        return "inconclusive", why
    loss = loss_of(limit, verdict)
    if loss is None or (VACUOUS in verdict.sentence and verdict.verdict == "inconclusive"):
        return "inconclusive", verdict.sentence
    if loss.high <= loss.limit + _ROUNDING:
        return "passed", f"{verdict.sentence.partition('; that does')[0].removesuffix('.')}: within the limit."
    outcome: Outcome = "regressed" if loss.low > loss.limit + _ROUNDING else "inconclusive"
    words = "beyond" if outcome == "regressed" else "not certainly within"
    sentence = verdict.sentence.partition("; that does")[0].removesuffix(".")
    return outcome, f"{sentence}: {words} the limit of {limit.text}."


def _against(limit: Limit, verdict: MetricVerdict, words: str) -> str:
    """The interval against the limit. The verdict's own sentence is about its margin, which is another number."""
    if verdict.change != "ratio" or not verdict.count or verdict.value is None:
        return verdict.sentence
    interval = f"{verdict.low:.3f} to {verdict.high:.3f}"
    return f"{verdict.value:.3f} times the baseline's ({interval}): {words} the limit of {limit.text}."


#: Tolerance of float rounding in shares: 1.05 - 1 is slightly more than 0.05.
_ROUNDING = 1e-12


def _bounds(limit: Limit, verdict: MetricVerdict) -> tuple[float | None, float | None]:
    """Bounds of the change for the worse in the limit's unit: a share, or the metric's own unit."""
    low, high = _change_bounds(limit, verdict)
    if limit.metric in RATES and low is not None and high is not None:
        return -high, -low
    return low, high


def _change_bounds(limit: Limit, verdict: MetricVerdict) -> tuple[float | None, float | None]:
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
    if verdict.count == 0 and verdict.low == verdict.high and verdict.b is not None:
        return verdict.b - verdict.a, verdict.b - verdict.a
    return (verdict.low - 1) * verdict.a, (verdict.high - 1) * verdict.a
