"""From pairs of processes to verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from msgspec.structs import replace

from edgerig.engine.compare.pair import Pair, Run, bytes_of, paired_chunks
from edgerig.engine.compare.series import PairSeries
from edgerig.measure.clocks import resolution_seconds
from edgerig.measure.comparison import (
    LOOK_LEVEL,
    LOOKS,
    Estimate,
    estimate,
    judge_ratio,
    pair_log_ratio,
    smallest_difference,
)
from edgerig.measure.stats import TAIL_SAMPLES
from edgerig.results.compare.times import CPU, FIRST, LATENCY, LOAD, P50, P99, PEAK_RSS, Metric, judged, undecided
from edgerig.results.compare.types import MetricVerdict, SelfCheck

#: The slowdown for which every comparison says whether it could be detected.
ASKED = 0.05
#: Number of pairs of A against itself.
CHECK_PAIRS = LOOKS[0]
_METHOD = "log ratios of pairs of fresh processes; Student's interval at the level of its look"
#: Shortest inference whose processor time is told; the scheduler leaves shorter ones alone often enough.
SHORTEST_CPU = 1e-3
#: What a message of a chunk takes of a processor at most, and each of its bytes; and the share of it that is tolerated.
_MESSAGE_SECONDS, _BYTE_SECONDS, _MESSAGE_SHARE = 200e-6, 1e-9, 0.1
#: Fewest inferences of a process for a 99th percentile.
_TAIL = TAIL_SAMPLES * 100


def latency_estimate(pairs: Sequence[Pair]) -> Estimate:
    """The ratio of the chunks' 10th percentiles."""
    ratios = [pair_log_ratio(paired_chunks(pair)) for pair in pairs]
    return estimate(ratios, LOOK_LEVEL, _resolution(pairs))


def stands(pairs: Sequence[Pair], margin: float) -> bool:
    """Whether the pairs so far give a verdict on latency, or more pairs would not help."""
    try:
        return judge_ratio(latency_estimate(pairs), margin) != "inconclusive"
    except ValueError:
        return True  # the clock is too coarse for the network


def self_check(series: PairSeries, margin: float) -> SelfCheck | None:
    """The noise floor of this machine by A against itself; None where there are no pairs."""
    if len(series.pairs) < CHECK_PAIRS:
        return None
    try:
        estimated = latency_estimate(series.pairs)
    except ValueError:
        return None
    passed = judge_ratio(estimated, margin) in ("same", "inconclusive")
    smallest = smallest_difference(estimated.spread, LOOKS[-1], margin)
    tells = passed and smallest <= ASKED
    asked, most = f"{ASKED:.0%}", LOOKS[-1]
    if not passed:
        sentence = f"A came out {estimated.ratio:.3f} times itself: this machine cannot compare times now."
    elif tells:
        count = next(n for n in LOOKS if smallest_difference(estimated.spread, n, margin) <= ASKED)
        sentence = f"This machine, now, can tell {asked}, in about {count} pairs."
    else:
        sentence = f"This machine, now, cannot tell {asked}: {most} pairs would tell {smallest:.0%}."
    return SelfCheck(
        sentence=sentence,
        passed=passed,
        tells=tells,
        asked=ASKED,
        pairs=len(series.pairs),
        ratio=estimated.ratio,
        low=estimated.low,
        high=estimated.high,
        smallest=smallest,
    )


def time_verdicts(series: PairSeries, margin: float, refused: str | None) -> dict[str, MetricVerdict]:
    """Verdicts on latency, its median and tail, loading, first inference and memory of the processes, by name.

    Args:
        margin: Of the latency, a share of 1.
        refused: Why there can be no verdict on times; None where there can.
    """
    latency = _with_margin(LATENCY, margin)
    metrics: dict[str, MetricVerdict] = {
        "latency": _chunked(latency, series, 0.1, refused),
        "p50": _chunked(P50, series, 0.5, refused),
        "p99": _of_runs(P99, series, _tail, refused),
        "load": _of_runs(LOAD, series, lambda run: run.load_seconds, refused),
        "first": _of_runs(FIRST, series, lambda run: run.first_ns * 1e-9, refused),
    }
    if series.pairs and all(math.isfinite(_cpu(run)) for run in _runs(series)):
        metrics["cpu"] = _processor(_with_margin(CPU, margin), series, refused)
    if series.pairs and all(math.isfinite(bytes_of("peak_rss")(run)) for run in _runs(series)):
        metrics["peak_rss"] = _of_runs(PEAK_RSS, series, bytes_of("peak_rss"), None)
    return metrics


def _chunked(metric: Metric, series: PairSeries, quantile: float, refused: str | None) -> MetricVerdict:
    """The verdict on a quantile of the times within chunks."""
    if (why := _too_few(series)) is not None:
        return undecided(metric, refused or why)
    a, b = (
        _mean([float(np.median([np.quantile(chunk, quantile) for chunk in chunks])) for chunks in sides])
        for sides in zip(*(zip(*paired_chunks(pair), strict=True) for pair in series.pairs), strict=True)
    )
    a, b = a * 1e-9, b * 1e-9
    if refused is not None:
        return undecided(metric, refused, a, b)
    try:
        ratios = [pair_log_ratio(paired_chunks(pair), quantile) for pair in series.pairs]
        estimated = estimate(ratios, LOOK_LEVEL, _resolution(series.pairs))
    except ValueError as error:
        return undecided(metric, str(error), a, b)
    return judged(metric, estimated, a, b, what="pairs", method=f"{quantile:.0%} quantile of chunks; {_METHOD}")


def _of_runs(metric: Metric, series: PairSeries, what: Callable[[Run], float], refused: str | None) -> MetricVerdict:
    """The verdict on one number per process."""
    if (why := _too_few(series)) is not None:
        return undecided(metric, refused or why)
    values = np.array([(what(pair.first), what(pair.second)) for pair in series.pairs])
    if not (np.isfinite(values).all() and (values > 0).all()):
        few = f"a process has too few inferences for it: {_TAIL} are needed" if metric is P99 else "it was not told"
        return undecided(metric, refused or f"{metric.words}: {few}")
    a, b = (_mean(list(column)) for column in values.T)
    if refused is not None:
        return undecided(metric, refused, a, b)
    estimated = estimate(np.log(values[:, 1] / values[:, 0]), LOOK_LEVEL)
    return judged(metric, estimated, a, b, what="pairs", method=_METHOD)


def _tail(run: Run) -> float:
    times = np.concatenate(run.chunks)
    return float(np.quantile(times, 0.99)) * 1e-9 if times.size >= _TAIL else math.nan


def _processor(metric: Metric, series: PairSeries, refused: str | None) -> MetricVerdict:
    """The verdict on the processor time of an inference.

    A chunk's holds its messages too, which both variants have alike: where they are a share s of it, a ratio r of all
    of it is one of ``1 + (r - 1) / (1 - s)`` of the inferences. The interval holds both ends of that.
    """
    if refused is not None or (refused := _too_few(series)) is not None:
        return undecided(metric, refused)
    values = np.array([(_cpu(pair.first), _cpu(pair.second)) for pair in series.pairs])
    estimated = estimate(np.log(values[:, 1] / values[:, 0]), LOOK_LEVEL)
    share = max(_message_seconds(run) / _cpu(run) for run in _runs(series))
    low, high = (1 + (bound - 1) / (1 - share) for bound in (estimated.low, estimated.high))
    if low <= 0:
        return undecided(metric, "the processor times of the pairs are too far apart")
    widened = replace(estimated, low=min(estimated.low, low), high=max(estimated.high, high))
    a, b = (_mean(list(column)) for column in values.T)
    return judged(metric, widened, a, b, what="pairs", method=f"processor time of chunks, messages included; {_METHOD}")


def _cpu(run: Run) -> float:
    """Processor time of an inference in seconds, median over chunks; NaN where it is not known well enough."""
    if not run.cpu_ns or run.threads != 1:
        return math.nan
    counts = np.array([len(chunk) for chunk in run.chunks])
    inference = float(np.median(np.array(run.cpu_ns) / counts)) * 1e-9
    known = inference >= SHORTEST_CPU and _message_seconds(run) <= _MESSAGE_SHARE * inference
    return inference if known else math.nan


def _message_seconds(run: Run) -> float:
    """What the messages of an inference take of a processor at most."""
    return _MESSAGE_SECONDS / min(len(chunk) for chunk in run.chunks) + run.message_bytes * _BYTE_SECONDS


def _too_few(series: PairSeries) -> str | None:
    if series.given_up:
        return f"{len(series.lost)} of {series.started} pairs were lost: {series.lost[-1]}"
    if len(series.pairs) < LOOKS[0]:
        return f"there are {len(series.pairs)} pairs, and {LOOKS[0]} are the fewest that say anything"
    return None


def _runs(series: PairSeries) -> list[Run]:
    return [run for pair in series.pairs for run in (pair.first, pair.second)]


def _mean(values: list[float]) -> float:
    """The geometric mean, to match the mean of log ratios."""
    positive = np.array(values)
    return float(np.exp(np.log(positive).mean())) if (positive > 0).all() else 0.0


def _resolution(pairs: Sequence[Pair]) -> float:
    """The clock's tick relative to an inference."""
    ticks = [resolution_seconds(run.clock) or 0.0 for pair in pairs for run in (pair.first, pair.second)]
    shortest = min(float(np.median(np.concatenate(run.chunks))) for pair in pairs for run in (pair.first, pair.second))
    return max(ticks) / max(shortest * 1e-9, 1e-9)


def _with_margin(metric: Metric, margin: float) -> Metric:
    return Metric(name=metric.name, words=metric.words, unit=metric.unit, margin=margin, slower=metric.slower)
