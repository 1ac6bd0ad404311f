"""Verdicts on one number a round, from the rounds that two results hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgerig.measure.comparison import LEVEL, Estimate, estimate, estimate_apart
from edgerig.measure.kinds import Kind
from edgerig.results.compare.times import Metric, judged, undecided
from edgerig.results.compare.types import MetricVerdict

#: Fewest rounds of either side for an interval between processes.
FEWEST_ROUNDS = 2


def by_rounds(
    metric: Metric,
    series: Sequence[Sequence[float | None]],
    whole: tuple[float | None, float | None],
    refused: str | None,
    tick: float,
    paired: bool,
    missing: str = "some rounds have too few inferences for it, or none",
    kind: Kind = "measured",
    level: float = LEVEL,
) -> MetricVerdict:
    """The verdict on one number per round.

    Args:
        series: The numbers of A's rounds and of B's. whole: The cells' own values, shown where there is no verdict.
        refused: Why there can be no verdict, if there can be none.
        tick: The clock's, in seconds; of a rate, divided by what is done in its time. 0 where there is no clock.
        paired: Whether the n-th rounds of the two met the same machine.
        missing: What is said where a round has no number above 0. kind: Of all the numbers.
        level: How often the interval may miss.
    """
    a, b = whole
    why = refused or few_rounds(series)
    if why is not None:
        return undecided(metric, why, a, b, kind=kind)
    first, second = ([value for value in rounds if value is not None and value > 0] for rounds in series)
    if len(first) < len(series[0]) or len(second) < len(series[1]):
        return undecided(metric, f"{metric.words}: {missing}", a, b, kind=kind)
    resolution = {"s": tick / min(*first, *second), "1/s": tick * max(*first, *second)}.get(metric.unit, 0.0)
    estimated, method = ratio_between(first, second, paired=paired, resolution=resolution, level=level)
    return judged(metric, estimated, typical(first), typical(second), what="rounds", kind=kind, method=method)


def few_rounds(series: Sequence[Sequence[object]]) -> str | None:
    """Why the rounds of A and B give no interval; None where both have several."""
    few = next((name for name, rounds in zip("AB", series, strict=True) if len(rounds) < FEWEST_ROUNDS), None)
    if few is None:
        return None
    return (
        f"{few} was measured in one round, which has no interval between processes: measure it again with more rounds"
    )


def ratio_between(
    first: Sequence[float], second: Sequence[float], *, paired: bool, resolution: float = 0.0, level: float = LEVEL
) -> tuple[Estimate, str]:
    """The ratio of the second to the first, with its interval, and the method in words.

    Args:
        first, second: A number above 0 for each of two or more rounds; as many of either where they are ``paired``.
        resolution: What the numbers are exact to, as a share of them. level: How often the interval may miss.
    """
    if paired:
        estimated = estimate(np.log(second) - np.log(first), level, resolution)
        return estimated, "log ratios of rounds that took turns, Student's interval"
    estimated = estimate_apart(first, second, level, resolution)
    return estimated, "logarithms of the rounds of either, Welch's interval"


def typical(values: Sequence[float]) -> float:
    """The geometric mean of numbers above 0, to match the mean of log ratios."""
    return float(np.exp(np.log(values).mean()))
