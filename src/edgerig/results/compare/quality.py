"""Verdicts on quality, sample by sample, over the samples that both ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.measure.shares import paired_difference
from edgerig.results.compare.texts import times_as_many
from edgerig.results.compare.types import MetricVerdict, Verdict
from edgerig.results.comparison import Answers, Paired, answers_of, at, compare_with, shared_samples
from edgerig.tasks.caveats import VACUOUS, why_no_evidence

#: Accuracy, as a share of 1, that B may lose without being called worse.
MARGIN = 0.005
METHOD = "samples that both ran; McNemar's exact test, Tango's interval of the difference"
#: Of one file on one engine whose predictions agree: the difference is exact, and has no interval.
ONE_NETWORK = "samples that both ran; the same file on the same engine, so that no other sample could differ"


def accuracy_verdict(
    a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]], margin: float = MARGIN, *, one_network: bool = False
) -> MetricVerdict | None:
    """B's accuracy against A's, from the raw arrays of both cells; None where either has no labelled predictions.

    ``worse`` or ``better``: McNemar's exact test tells the two apart (p < 5 %), and Tango's interval of the difference
    does not lie within the margin. ``same``: that interval lies within the margin, so that B is neither inferior nor
    superior by it. Else ``inconclusive``: more samples are needed.

    Args:
        a, b: ``predictions``, ``labels`` and ``indices`` of each, of one and the same test split.
        one_network: Whether both are the same file on the same engine. If all their predictions then agree in being
            right or wrong, other samples could not change the verdict.
    """
    first, second = answers_of("a", a), answers_of("b", b)
    if first is None or second is None:
        return None
    rows = compare_with([second], first)
    if not rows:
        return MetricVerdict(
            verdict="inconclusive",
            sentence="The two have run no sample in common.",
            a=None,
            b=None,
            unit="1",
            change="difference",
            margin=margin,
            higher_is_better=True,
        )
    judged = _judged(rows[0], margin, one_network and rows[0].lost == rows[0].gained == 0)
    return _doubted(judged, first, second, one_network)


def _doubted(judged: MetricVerdict, first: Answers, second: Answers, one_network: bool) -> MetricVerdict:
    """``judged`` where equal qualities would prove something; else it says why they do not, and ``same`` is none.

    Of one file on one engine ``same`` stays: it is not concluded from the samples.
    """
    shared = shared_samples([first, second])
    sides = [(name, at(answers.predictions, answers, shared)) for name, answers in (("A", first), ("B", second))]
    why = why_no_evidence(at(first.labels, first, shared), *sides)
    if why is None or judged.verdict not in ("same", "inconclusive"):
        return judged
    return replace(
        judged,
        verdict=judged.verdict if one_network else "inconclusive",
        sentence=f"{judged.sentence.removesuffix('.')}; {VACUOUS}{why}.",
    )


def _judged(row: Paired, margin: float, identical: bool) -> MetricVerdict:
    low, high = (0.0, 0.0) if identical else paired_difference(row.lost, row.gained, row.samples)
    before = 1 - row.baseline_errors / row.samples
    verdict: Verdict = "inconclusive"
    if -margin <= low and high <= margin:
        verdict = "same"
    elif row.different:
        verdict = "worse" if row.lost > row.gained else "better"
    change = row.accuracy - before
    noun = "error" if row.errors == 1 else "errors"
    errors = f"{row.errors:,} {noun} of {row.samples:,} samples, A has {row.baseline_errors:,}"
    if row.ratio is not None and row.errors != row.baseline_errors:
        errors += f": {times_as_many(row.errors, row.baseline_errors)}"
    points = f"{_points(change)} points ({_points(low)} to {_points(high)}), McNemar's p {row.p:.2g}"
    why = "" if verdict != "inconclusive" else f"; that does not tell whether it loses {margin * 100:g} points or more"
    return MetricVerdict(
        verdict=verdict,
        sentence=f"{errors}; {points}{why}.",
        a=before,
        b=row.accuracy,
        unit="1",
        change="difference",
        value=change,
        low=low,
        high=high,
        margin=margin,
        count=row.samples,
        higher_is_better=True,
        method=ONE_NETWORK if identical else METHOD,
    )


def _points(share: float) -> str:
    """A difference of shares in percentage points; never ``-0.00``."""
    return f"{round(share * 100, 2) + 0.0:+.2f}"
