import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.results.compare.shared_samples import Answers, answers_of, compare_with, right_answers, shared_samples


def answers(cell: str, indices: list[int], right: list[int]) -> Answers:
    """Every sample's label is its place modulo 10; the answer is that, or one more."""
    places = np.array(indices)
    labels = places % 10
    return Answers(cell, places, labels, np.where(np.isin(places, right), labels, labels + 1))


def test_accuracies_are_those_of_the_samples_that_both_ran() -> None:
    whole = answers("whole", list(range(100)), list(range(10, 100)))
    part = answers("part", [5, 3, 50, 8], [50, 8])
    first, second = compare_with([whole, part], whole)
    assert (first.samples, first.errors, first.accuracy) == (100, 10, 0.9)
    assert (second.samples, second.errors, second.baseline_errors, second.accuracy) == (4, 2, 3, 0.5)
    assert (second.lost, second.gained) == (0, 1)
    assert second.ratio == pytest.approx(2 / 3)


def test_a_difference_is_told_from_chance_sample_by_sample() -> None:
    places = list(range(2000))
    base = answers("float", places, places[100:])
    same = answers("same", places, [*places[:5], *places[105:]])
    worse = answers("worse", places, places[130:])
    one, two = compare_with([same, worse], base)
    assert (one.errors, one.lost, one.gained, one.different) == (100, 5, 5, False)
    assert (two.errors, two.lost, two.gained, two.different) == (130, 30, 0, True)
    assert two.ratio == pytest.approx(1.3)
    assert two.p < 1e-8


@given(st.permutations(range(30)), st.permutations(range(30)))
def test_the_order_of_the_samples_makes_no_difference(first: list[int], second: list[int]) -> None:
    one, other = answers("a", first, [1, 2, 3]), answers("b", second, [2, 3, 4, 5])
    (row,) = compare_with([other], one)
    assert (row.errors, row.lost, row.gained) == (26, 1, 2)
    assert right_answers(one, np.array([3, 9])).tolist() == [True, False]


def test_there_is_nothing_to_compare_without_shared_samples_or_labels() -> None:
    one, other = answers("a", [1, 2], [1]), answers("b", [3, 4], [3])
    assert compare_with([other], one) == ()
    assert shared_samples([one, answers("c", [2, 9, 1], []), answers("d", [2], [])]).tolist() == [2]
    n = np.arange(3)
    assert answers_of("a", {"indices": n, "labels": n - 9, "predictions": n}) is None
    assert answers_of("a", {"indices": n, "labels": n}) is None
    assert answers_of("a", {"indices": n, "labels": n[:2], "predictions": n}) is None
    assert answers_of("a", {"indices": n, "labels": n, "predictions": n.astype(str)}) is None
    assert answers_of("a", {"indices": n * 0, "labels": n, "predictions": n}) is None
    kept = answers_of("a", {"indices": n, "labels": np.array([0, -1, 2]), "predictions": n})
    assert kept is not None
    assert kept.indices.tolist() == [0, 2]


def test_errors_beside_none_have_no_ratio() -> None:
    places = list(range(20))
    (row,) = compare_with([answers("int8", places, places[1:])], answers("float", places, places))
    assert row.ratio is None
