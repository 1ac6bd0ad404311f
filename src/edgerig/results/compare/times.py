"""Verdicts on times and other measured numbers, from ratios between processes."""

from __future__ import annotations

import msgspec

from edgerig.measure.comparison import Estimate, judge_ratio
from edgerig.measure.kinds import Kind
from edgerig.results.compare.types import MetricVerdict, Verdict


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A measured number that is compared by its ratio.

    Attributes:
        name: In documents. words: for sentences. unit: SI. margin: the relative change that does not matter.
        slower: Whether a larger value is called slower, as for times, or worse.
        higher_is_better: Whether a larger value is better, as for rates; then ``slower`` is False.
    """

    name: str
    words: str
    unit: str = "s"
    margin: float
    slower: bool = True
    higher_is_better: bool = False


LATENCY = Metric(name="latency", words="an inference", margin=0.02)
#: Margin of tails, cold starts and memory: they vary more from process to process.
P50 = Metric(name="p50", words="the median inference", margin=0.05)
P99 = Metric(name="p99", words="the 99th percentile", margin=0.25)
LOAD = Metric(name="load", words="loading", margin=0.25)
FIRST = Metric(name="first", words="the first inference", margin=0.25)
#: Time on a processor: on a busy machine an inference of milliseconds waits for a core longer than it computes.
CPU = Metric(name="cpu", words="an inference on the processor", margin=0.02)
PEAK_RSS = Metric(name="peak_rss", words="the process's memory", unit="B", margin=0.05, slower=False)


def judged(
    metric: Metric, estimated: Estimate, a: float, b: float, *, what: str, kind: Kind = "measured", method: str
) -> MetricVerdict:
    """The verdict of an estimate.

    Args:
        a, b: The two values. what: what ``estimated.count`` counts, such as ``"pairs"``.
    """
    verdict = _as_named(metric, judge_ratio(estimated, metric.margin))
    margin = f"{metric.margin * 100:g} %"
    times = f"{estimated.ratio:.3f} times A's ({estimated.low:.3f} to {estimated.high:.3f}, {estimated.count} {what})"
    sentence = {
        "same": f"{metric.words} is the same within {margin}: {times}",
        "inconclusive": f"{metric.words}: {times} does not tell whether they are more than {margin} apart",
    }.get(verdict, f"{metric.words} {'takes' if metric.slower else 'is'} {times}")
    return MetricVerdict(
        verdict=verdict,
        sentence=_capital(sentence) + ".",
        a=a,
        b=b,
        unit=metric.unit,
        value=estimated.ratio,
        low=estimated.low,
        high=estimated.high,
        margin=metric.margin,
        count=estimated.count,
        higher_is_better=metric.higher_is_better,
        kind=kind,
        method=method,
    )


def undecided(
    metric: Metric,
    reason: str,
    a: float | None = None,
    b: float | None = None,
    *,
    kind: Kind = "measured",
    count: int = 0,
    method: str = "",
) -> MetricVerdict:
    """No verdict, with the reason, and the values where there are any.

    There is no change: one without an interval, or between unlike things, would be read as a difference.
    """
    return MetricVerdict(
        verdict="inconclusive",
        sentence=_capital(reason.rstrip(".")) + ".",
        a=a,
        b=b,
        unit=metric.unit,
        margin=metric.margin,
        higher_is_better=metric.higher_is_better,
        kind=kind,
        count=count,
        method=method,
    )


def _as_named(metric: Metric, verdict: str) -> Verdict:
    if metric.slower:
        return verdict  # type: ignore[return-value]
    larger, smaller = ("better", "worse") if metric.higher_is_better else ("worse", "better")
    return {"slower": larger, "faster": smaller}.get(verdict, verdict)  # type: ignore[return-value]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
