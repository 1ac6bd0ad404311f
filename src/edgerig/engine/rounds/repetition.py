"""How often a cell is measured: a fixed number of rounds, until its interval is narrow enough, or once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.types import MAX_ROUNDS, Repetition, Round
from edgerig.rig.types import FEWEST_ROUNDS, Measure

NOT_REACHED = " and not the "


def repetition_of(rounds: Sequence[Round], steady: Quantity, measure: Measure, *, exact: bool = False) -> Repetition:
    """Whether ``rounds`` are all that a cell needs, and how much they differ.

    Args:
        rounds: Those so far.
        steady: The median latency over them.
        measure: The requested number of rounds.
        exact: Whether every round would give the same numbers.
    """
    half_width = _half_width(steady) if len(rounds) > 1 else None
    if exact:
        complete, reason = True, "what is counted or modelled here is the same in every round, so that one is enough"
    elif measure.planned_rounds is not None:
        complete, reason = len(rounds) >= measure.planned_rounds, f"{_count(measure.planned_rounds)} asked for"
    else:
        complete, reason = _enough(len(rounds), sum(entry.seconds for entry in rounds), half_width, measure)
    distributions = [entry.steady for entry in rounds if entry.steady is not None]
    medians = [distribution.median for distribution in distributions]
    differ = len(medians) > 1 and np.mean(medians) > 0
    return Repetition(
        planned=1 if exact else measure.planned_rounds,
        complete=complete,
        reason=reason,
        within=float(np.median([distribution.spread for distribution in distributions])) if distributions else None,
        between=float(np.std(medians, ddof=1) / np.mean(medians)) if differ else None,
        half_width=half_width,
    )


def _enough(count: int, seconds: float, half_width: float | None, measure: Measure) -> tuple[bool, str]:
    """Whether ``rounds: auto`` ends after ``count`` rounds, and why."""
    width = measure.wanted_width
    if count < FEWEST_ROUNDS:
        return False, f"at least {FEWEST_ROUNDS} rounds are measured"
    if half_width is None:
        return True, "the clock is too coarse for an interval"
    now = f"the interval is {half_width:.2%} to either side"
    if half_width <= width:
        return True, f"{now}, and {width:.2%} was asked for"
    if seconds >= measure.time_limit:
        return True, f"{now}{NOT_REACHED}{width:.2%} that was asked for, but {measure.time_limit:g} s were up"
    if count >= MAX_ROUNDS:
        return True, f"{now}{NOT_REACHED}{width:.2%} that was asked for; no cell has more than {count:,} rounds"
    return False, now


def short_of(repetition: Repetition) -> list[str]:
    """A warning where ``rounds: auto`` ended before the interval was as narrow as requested."""
    return [f"{repetition.reason[:1].upper()}{repetition.reason[1:]}."] if NOT_REACHED in repetition.reason else []


def _half_width(steady: Quantity) -> float | None:
    if not isinstance(steady, Measurement) or steady.low is None or steady.high is None or steady.value <= 0:
        return None
    return (steady.high - steady.low) / 2 / steady.value


def _count(number: int) -> str:
    return "1 round was" if number == 1 else f"{number} rounds were"
