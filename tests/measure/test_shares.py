import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.later import Later

from edgerig.measure.shares import paired_difference

optimize = Later("scipy.optimize")

counts = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 200))


def score(lost: int, gained: int, n: int, difference: float) -> float:
    """The score statistic with the rarer probability out of a numerical maximum of the likelihood."""

    def likelihood(rare: float) -> float:
        shares = (rare, rare + difference, 1 - 2 * rare - difference)
        return -sum(
            count * math.log(max(share, 1e-300))
            for count, share in zip((lost, gained, n - lost - gained), shares, strict=True)
            if count
        )

    low, high = max(0.0, -difference), (1 - difference) / 2
    best = optimize.minimize_scalar(likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (gained - lost - n * difference) / math.sqrt(n * (2 * best + difference * (1 - difference)))


@given(counts)
@settings(max_examples=60, deadline=None)
def test_the_bounds_are_where_the_score_test_of_the_likelihood_refuses(case: tuple[int, int, int]) -> None:
    lost, gained, both = case
    n = lost + gained + both
    if n < 5 or both == 0:
        return
    low, high = paired_difference(lost, gained, n)
    assert score(lost, gained, n, low) == pytest.approx(1.96, abs=0.01)
    assert score(lost, gained, n, high) == pytest.approx(-1.96, abs=0.01)


@given(counts)
def test_it_holds_what_was_seen_and_mirrors(case: tuple[int, int, int]) -> None:
    lost, gained, both = case
    n = lost + gained + both
    low, high = paired_difference(lost, gained, n)
    assert -1 <= low <= high <= 1
    if n:
        assert low - 1e-9 <= (gained - lost) / n <= high + 1e-9
    assert paired_difference(gained, lost, n) == pytest.approx((-high, -low), abs=1e-9)


def test_few_samples_without_a_difference_promise_little() -> None:
    assert paired_difference(0, 0, 0) == (-1, 1)
    z2 = 1.959963984540054**2
    assert paired_difference(0, 0, 100)[1] == pytest.approx(z2 / (100 + z2), abs=1e-6)


@pytest.mark.parametrize(("lost", "gained", "n"), [(0.01, 0.01, 500), (0.03, 0.01, 300), (0.1, 0.05, 100)])
def test_it_holds_the_true_difference_in_95_of_100_draws(lost: float, gained: float, n: int) -> None:
    draws = np.random.default_rng(0).multinomial(n, [lost, gained, 1 - lost - gained], size=800)
    bounds = [paired_difference(int(row[0]), int(row[1]), n) for row in draws]
    held = np.mean([low <= gained - lost <= high for low, high in bounds])
    assert held > 0.925
