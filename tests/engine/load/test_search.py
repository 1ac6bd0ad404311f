"""The highest rate that holds a bound is found from any guess, and nothing is said where none holds."""

from __future__ import annotations

import pytest

from edgerig.engine.load.search import MOST_TRIALS, RESOLUTION, best_of, highest_rate
from edgerig.results.under_load import Trial


def trial(rate: float, holds: bool) -> Trial:
    return Trial(rate=rate, requests=1, answered=1, over=0, tail=None, kept_up=True, holds=holds, late=0.0)


@pytest.mark.parametrize("guess", [3.0, 90.0, 100.0, 101.0, 4000.0])
def test_the_edge_is_found_from_below_and_from_above(guess: float) -> None:
    trials = highest_rate(lambda rate: trial(rate, rate <= 100), guess)
    best = best_of(trials)
    assert best is not None
    assert 100 / (1 + RESOLUTION) <= best.rate <= 100
    assert len(trials) <= MOST_TRIALS
    assert len({entry.rate for entry in trials}) == len(trials), "no rate is tried twice"


def test_no_rate_holds() -> None:
    trials = highest_rate(lambda rate: trial(rate, False), 100.0)
    assert best_of(trials) is None
    assert min(entry.rate for entry in trials) >= 100 / 64


def test_a_rate_above_one_that_failed_does_not_count() -> None:
    assert best_of((trial(10, True), trial(20, False), trial(30, True))) == trial(10, True)
    assert best_of((trial(20, False), trial(30, True))) is None
