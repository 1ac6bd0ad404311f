"""Events in a stream of frames: which are reported, and what is wrong with the reports.

Everywhere frames lie at equal distances, ``scores`` has the shape (n, classes) and ``labels`` the shape (n,), class
indices in order of time, -1 where nobody knows; one class or several are the background, in which nothing happens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: The class in which nothing happens, or several of them.
Background = int | tuple[int, ...]
#: Probability that a Poisson count lies outside the interval on one side.
TAIL = 0.025


class Event(NamedTuple):
    """Consecutive frames of one class, from ``first`` to ``last``."""

    label: int
    first: int
    last: int


class Report(NamedTuple):
    """An event that was reported: its class, and the frame at which that was."""

    label: int
    frame: int


class Outcome(NamedTuple):
    """What became of events and reports.

    Attributes:
        detected, missed: Numbers of events that were reported and that were not (false rejects), of shape (classes,).
        false: Number of reports without an event (false accepts), by the class reported, of shape (classes,).
        repeated: Number of reports of events that had been reported before.
    """

    detected: NDArray[np.int64]
    missed: NDArray[np.int64]
    false: NDArray[np.int64]
    repeated: int


class Fates(NamedTuple):
    """Whether each event of `events_in` was reported, the false reports, and the number of those that are repeated."""

    reported: list[bool]
    false: list[Report]
    repeated: int


def events_in(labels: Array, background: Background) -> list[Event]:
    """The events of a stream: the longest runs of one class that is not the background.

    >>> events_in(np.array([0, 2, 2, 1, 0, -1, 1]), 0)
    [Event(label=2, first=1, last=2), Event(label=1, first=3, last=3), Event(label=1, first=6, last=6)]
    """
    if not len(labels):
        return []
    starts = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1) != 0)
    ends = np.append(starts[1:], len(labels)) - 1
    quiet = {-1, *((background,) if isinstance(background, int) else background)}
    runs = zip(labels[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
    return [Event(label, first, last) for label, first, last in runs if label not in quiet]


def reports_of(scores: Array, background: Background, threshold: float, refractory: int) -> list[Report]:
    """A report at each frame at which the best class beside the background reaches ``threshold``.

    After a report the next ``refractory`` frames report nothing, whatever their class. Where classes tie, the lower
    index is reported.

    >>> reports_of(np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]]), 0, 0.5, refractory=1)
    [Report(label=1, frame=0), Report(label=1, frame=3)]
    """
    others = scores.astype(np.float64, copy=True)
    others[:, np.atleast_1d(np.asarray(background, np.int64))] = -np.inf
    best = others.argmax(axis=1)
    frames = np.flatnonzero(others[np.arange(len(others)), best] >= threshold)
    reports, position = [], 0
    while position < len(frames):
        frame = int(frames[position])
        reports.append(Report(int(best[frame]), frame))
        position = int(np.searchsorted(frames, frame + refractory, side="right"))
    return reports


def outcome_of(labels: Array, reports: list[Report], background: Background, tolerance: int, classes: int) -> Outcome:
    """Match reports with events; see `fates_of`."""
    events, fates = events_in(labels, background), fates_of(labels, reports, background, tolerance)
    detected, missed, false = (np.zeros(classes, np.int64) for _ in range(3))
    for event, was_reported in zip(events, fates.reported, strict=True):
        (detected if was_reported else missed)[event.label] += 1
    for report in fates.false:
        false[report.label] += 1
    return Outcome(detected, missed, false, fates.repeated)


def fates_of(labels: Array, reports: list[Report], background: Background, tolerance: int) -> Fates:
    """What becomes of each event, and of each report.

    A report belongs to the first event of its class which began at or before it, ended at most ``tolerance`` frames
    before it, and has no report yet; where each such event has one, it is repeated. A report in a frame whose label
    nobody knows counts nothing.
    """
    events = events_in(labels, background)
    has_report = [False] * len(events)
    false, repeated = list[Report](), 0
    starts = [event.first for event in events]
    for report in reports:
        # Events do not overlap, so that those behind are in order of their ends, too.
        begun = int(np.searchsorted(starts, report.frame, side="right"))
        own = []
        for index in range(begun - 1, -1, -1):
            if events[index].last + tolerance < report.frame:
                break
            if events[index].label == report.label:
                own.append(index)
        free = [index for index in own if not has_report[index]]
        if free:
            has_report[free[-1]] = True
        elif own:
            repeated += 1
        elif labels[report.frame] != -1:
            false.append(report)
    return Fates(has_report, false, repeated)


def summed(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of several streams, of which each is one by itself."""
    detected, missed, false = (np.sum(counts, axis=0) for counts in list(zip(*outcomes, strict=True))[:3])
    return Outcome(detected, missed, false, sum(outcome.repeated for outcome in outcomes))


def poisson_interval(count: int) -> tuple[float, float]:
    """The exact 95 % interval of the mean of a Poisson distribution of which ``count`` was drawn (Garwood, 1936).

    >>> [round(bound, 4) for bound in poisson_interval(3)]
    [0.6187, 8.7673]
    """
    low = 0.0 if count == 0 else _mean_where(count - 1, 1 - TAIL)
    return low, _mean_where(count, TAIL)


def _mean_where(count: int, probability: float) -> float:
    """The mean with which a Poisson variable is at most ``count`` with ``probability``, by bisection."""
    numbers = np.arange(count + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    low, high = 0.0, count + 20.0 + 10.0 * math.sqrt(count + 1)
    for _ in range(100):
        mean = (low + high) / 2
        if np.exp(numbers * math.log(mean) - mean - factorials).sum() > probability:
            low = mean
        else:
            high = mean
    return (low + high) / 2
