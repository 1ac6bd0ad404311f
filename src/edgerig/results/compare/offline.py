"""The verdict on the scenario *offline*: samples a second, where all are there and are taken in batches."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from edgerig.measure.clocks import resolution_seconds
from edgerig.measure.comparison import LOOK_LEVEL, Estimate
from edgerig.measure.kinds import Measurement
from edgerig.results.compare.likeness import other_build, why_not_clocks
from edgerig.results.compare.rounds import by_rounds
from edgerig.results.compare.times import Metric, judged, undecided
from edgerig.results.compare.types import MetricVerdict
from edgerig.results.scenario import Offline
from edgerig.results.types import CellResult

THROUGHPUT = Metric(
    name="throughput", words="the throughput offline", unit="1/s", margin=0.02, slower=False, higher_is_better=True
)


def offline_verdict(cells: tuple[CellResult, CellResult], margin: float, *, paired: bool) -> dict[str, MetricVerdict]:
    """The verdict on the ``throughput`` of two cells in the scenario offline; none where either is in another.

    Batches of one size are the same work, whether a network takes them at once or one inference after another.

    Args:
        margin: Relative difference that does not matter. paired: Whether the rounds of the two took turns.
    """
    a, b = (cell.offline for cell in cells)
    if isinstance(a, msgspec.UnsetType) or isinstance(b, msgspec.UnsetType):
        return {}
    metric = replace(THROUGHPUT, margin=margin)
    whole = [load.throughput.value if isinstance(load.throughput, Measurement) else None for load in (a, b)]
    series = [_rates(cell, load) for cell, load in zip(cells, (a, b), strict=True)]
    refused = _why_not(cells, a, b)
    if refused is None and (lost := next((side for side, rates in zip("AB", series, strict=True) if not rates), None)):
        refused = f"the bundle of {lost} is of an edgerig that kept no time of a batch in turn: measure it again"
    if refused is not None:
        return {metric.name: undecided(metric, refused, whole[0], whole[1])}
    # Each inference of a batch may be off by a tick.
    tick = max(resolution_seconds(cell.clock) or 0.0 for cell in cells) * max(a.inferences, b.inferences) / a.batch
    return {metric.name: by_rounds(metric, series, (whole[0], whole[1]), None, tick, paired)}


def _why_not(cells: tuple[CellResult, CellResult], a: Offline, b: Offline) -> str | None:
    if a.batch != b.batch:
        return f"the loads are not alike: batches of {a.batch} and {b.batch}"
    return why_not_clocks(*cells) or other_build(*cells)


def _rates(cell: CellResult, load: Offline) -> list[float | None]:
    """Samples a second in each round; none where they are not known. None for a round whose clock was too coarse."""
    seconds = load.round_seconds
    if not seconds and load.inferences == 1:
        seconds = tuple(entry.steady.median for entry in cell.rounds if entry.steady is not None)
    return [load.batch / each if each > 0 else None for each in seconds]


def throughput_of(latency: MetricVerdict, cells: tuple[CellResult, CellResult]) -> MetricVerdict | None:
    """The verdict on the throughput by that on an inference of either cell in pairs: the inverse of its ratio.

    None where the two are not of the scenario offline with batches of one size that take as many inferences.
    """
    a, b = (cell.offline for cell in cells)
    if isinstance(a, msgspec.UnsetType) or isinstance(b, msgspec.UnsetType):
        return None
    if (a.batch, a.inferences) != (b.batch, b.inferences):
        return None
    metric = replace(THROUGHPUT, margin=latency.margin)
    rates = [a.batch / (time * a.inferences) if time else None for time in (latency.a, latency.b)]
    if not (latency.value and latency.low and latency.high and rates[0] and rates[1]):
        return undecided(metric, latency.sentence, *rates, count=latency.count, method=latency.method)
    estimated = Estimate(
        ratio=1 / latency.value,
        low=1 / latency.high,
        high=1 / latency.low,
        count=latency.count,
        level=LOOK_LEVEL,
        spread=0.0,
    )
    method = f"inverse of the ratio of an inference's times; {latency.method}"
    return judged(metric, estimated, rates[0], rates[1], what="pairs", method=method)
