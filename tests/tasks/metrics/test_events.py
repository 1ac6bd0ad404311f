"""Events of a stream, held against a plain loop over frames, and Poisson's interval against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.later import Later

from edgerig.tasks.metrics.events import Event, Report, events_in, outcome_of, poisson_interval, reports_of

stats = Later("scipy.stats")


def stream(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of 4 classes in runs, some of them unknown, and scores in steps, so that they tie."""
    rng = np.random.default_rng(seed)
    runs = rng.choice([0, 0, 0, 1, 2, 3, -1], int(rng.integers(1, 40)))
    labels = np.repeat(runs, rng.integers(1, 9, len(runs)))
    scores = rng.random((len(labels), 4)) * 0.7
    known = np.flatnonzero(labels >= 0)
    scores[known, labels[known]] += 0.4 * (rng.random(len(known)) < 0.4)
    return labels.astype(np.int64), np.round(scores, 1).astype(np.float32)


def plain(labels, scores, background, threshold, refractory, tolerance):
    """The rules, frame by frame: found and missed events, false and repeated reports."""
    quiet = background if isinstance(background, tuple) else (background,)
    events, frame = [], 0
    while frame < len(labels):
        end = frame
        while end + 1 < len(labels) and labels[end + 1] == labels[frame]:
            end += 1
        if labels[frame] not in (*quiet, -1):
            events.append({"label": int(labels[frame]), "first": frame, "last": end, "reports": 0})
        frame = end + 1
    silent_until, false, repeated = -1, [0, 0, 0, 0], 0
    for frame in range(len(labels)):
        if frame <= silent_until:
            continue
        best, top = None, -np.inf
        for label in range(4):
            if label not in quiet and scores[frame, label] > top:
                best, top = label, scores[frame, label]
        if top < threshold:
            continue
        silent_until = frame + refractory
        own = [e for e in events if e["label"] == best and e["first"] <= frame <= e["last"] + tolerance]
        free = [e for e in own if not e["reports"]]
        if free:
            free[0]["reports"] += 1
        elif own:
            repeated += 1
        elif labels[frame] != -1:
            false[best] += 1
    found = [sum(1 for e in events if e["label"] == label and e["reports"]) for label in range(4)]
    missed = [sum(1 for e in events if e["label"] == label and not e["reports"]) for label in range(4)]
    return found, missed, false, repeated


@pytest.mark.parametrize("background", [0, 2, (0, 2), (3, 1)], ids=str)
@pytest.mark.parametrize("seed", range(40))
def test_they_are_those_of_a_plain_loop(seed: int, background: int | tuple[int, ...]) -> None:
    labels, scores = stream(seed)
    for threshold, refractory, tolerance in ((0.5, 0, 0), (0.6, 3, 0), (0.7, 2, 4), (0.3, 10, 20)):
        threshold = float(np.float32(threshold))
        reports = reports_of(scores, background, threshold, refractory)
        outcome = outcome_of(labels, reports, background, tolerance, 4)
        wanted = plain(labels, scores, background, threshold, refractory, tolerance)
        got = (outcome.detected.tolist(), outcome.missed.tolist(), outcome.false.tolist(), outcome.repeated)
        assert got == wanted, (threshold, refractory, tolerance)


def test_neighbouring_events_are_told_apart_by_their_class() -> None:
    assert events_in(np.array([1, 1, 2, 2, -1, 2]), 0) == [Event(1, 0, 1), Event(2, 2, 3), Event(2, 5, 5)]
    assert events_in(np.array([], np.int64), 0) == []
    assert events_in(np.array([-1, -1, 0]), 0) == []


def test_silence_begins_with_a_report_of_any_class() -> None:
    scores = np.array([[0, 0.9, 0], [0, 0, 0.9], [0, 0, 0.9], [0, 0.9, 0]])
    assert reports_of(scores, 0, 0.5, 0) == [Report(1, 0), Report(2, 1), Report(2, 2), Report(1, 3)]
    assert reports_of(scores, 0, 0.5, 1) == [Report(1, 0), Report(2, 2)]


def test_a_report_in_frames_that_nobody_labelled_counts_nothing() -> None:
    outcome = outcome_of(np.array([-1, 0, 1]), [Report(1, 0)], 0, 0, 2)
    assert outcome.false.tolist() == [0, 0]
    assert outcome.missed.tolist() == [0, 1]


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_the_interval_is_the_exact_one_of_poisson(count: int) -> None:
    low, high = poisson_interval(count)
    assert low == pytest.approx(stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0, rel=1e-9)
    assert high == pytest.approx(stats.chi2.ppf(0.975, 2 * count + 2) / 2, rel=1e-9)
