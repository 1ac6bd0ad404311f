"""Lines that cross themselves, against every pair of edges in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.datasets.labels import crossings
from edgerig.datasets.labels.crossings import crosses_itself

Point = tuple[Fraction, Fraction]


def side(a: Point, b: Point, c: Point) -> int:
    product = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (product > 0) - (product < 0)


def reference(ring: list[int]) -> bool:
    points = [(Fraction(x), Fraction(y)) for x, y in zip(ring[0::2], ring[1::2], strict=True)]
    edges = list(zip(points, points[1:] + points[:1], strict=True))
    return any(
        side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
        for (a, b), (c, d) in combinations(edges, 2)
    )


@given(st.lists(st.integers(0, 12), min_size=3, max_size=10).flatmap(
    lambda xs: st.lists(st.integers(0, 12), min_size=len(xs), max_size=len(xs)).map(
        lambda ys: [value for pair in zip(xs, ys, strict=True) for value in pair]
    )
))  # fmt: skip
def test_every_crossing_is_found_and_nothing_else(ring: list[int]) -> None:
    assert crosses_itself(ring) == reference(ring)


@pytest.mark.parametrize("corners", [3, 100, 20_000])
def test_a_circle_crosses_itself_once_a_corner_is_pulled_across(corners: int) -> None:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    circle = np.stack([100 + 90 * np.cos(angles), 100 + 90 * np.sin(angles)], 1)
    assert not crosses_itself(circle.ravel().tolist())
    if corners > 3:
        circle[0] = (-50, 100)
        assert crosses_itself(circle.ravel().tolist())


def test_what_would_take_too_long_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossings, "MOST_PAIRS", 2)
    assert not crosses_itself((0, 0, 2, 2, 2, 0, 0, 2))
