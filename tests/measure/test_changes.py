from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.measure.changes import FEWEST, change_points, levels


def test_levels_are_found_where_they_begin() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(10, 0.1, 12), rng.normal(11, 0.1, 9), rng.normal(10.5, 0.1, 15)])
    assert change_points(values) == [12, 21]
    assert change_points(values, least=0.6) == [12]
    assert change_points(values, least=5) == []


def test_chance_alone_is_called_a_change_seldom() -> None:
    rng = np.random.default_rng(1)
    called = sum(bool(change_points(rng.normal(size=20))) for _ in range(300))
    assert called / 300 < 0.05


def test_one_outlier_is_no_new_level() -> None:
    values = [1.0, 1.01, 0.99, 1.0, 5.0, 1.0, 1.01, 0.99, 1.0, 1.0]
    assert change_points(values) == []


@given(st.lists(st.floats(-1e6, 1e6), max_size=25))
def test_changes_lie_apart_and_levels_keep_the_sum(values: list[float]) -> None:
    found = change_points(values)
    ends = [0, *found, len(values)]
    assert all(b - a >= FEWEST for a, b in pairwise(ends) if found)
    level = levels(values, found)
    assert len(level) == len(values)
    assert sum(level) == pytest.approx(sum(values), abs=1e-3)


@given(st.floats(-1e3, 1e3), st.integers(0, 30))
def test_a_constant_has_no_changes(value: float, count: int) -> None:
    assert change_points([value] * count) == []


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError):
        change_points([1.0, float("nan")])
