from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.datasets.samples import ArraySamples
from edgerig.datasets.splits import calibration_indices, split_by_name, stable_permutation, stratified_split
from edgerig.errors import UsageError


def with_labels(labels: list[int]) -> ArraySamples:
    return ArraySamples(np.zeros((len(labels), 1)), labels)


def test_the_permutation_is_the_same_everywhere() -> None:
    # Written down once: if these change, splits differ between machines.
    assert stable_permutation(8, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    assert stable_permutation(8, 1).tolist() == [2, 4, 7, 5, 0, 6, 3, 1]


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_the_permutation_holds_each_index_once(n: int, seed: int) -> None:
    assert sorted(stable_permutation(n, seed).tolist()) == list(range(n))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=100), st.floats(0, 0.9))
def test_a_stratified_split_takes_the_same_share_of_each_class(labels: list[int], share: float) -> None:
    array = np.array(labels)
    first, second = stratified_split(array, share, seed=3)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(labels)))
    assert first.tolist() == sorted(first.tolist())
    assert second.tolist() == sorted(second.tolist())
    for label in set(labels):
        assert (array[second] == label).sum() == round((array == label).sum() * share)


@given(st.sets(st.text("abc019", min_size=1, max_size=6), min_size=3, max_size=40), st.floats(0.01, 0.49))
def test_splitting_by_name_does_not_depend_on_the_order_of_files(names: set[str], share: float) -> None:
    one, other = sorted(names), sorted(names, reverse=True)
    for a, b in zip(split_by_name(one, [share, share]), split_by_name(other, [share, share]), strict=True):
        assert len(a) >= 1
        assert {one[i] for i in a} == {other[i] for i in b}


def test_file_names_need_not_be_utf8() -> None:
    names = [os.fsdecode(b"\xff.png"), "a.png", "b.png"]
    first, second = split_by_name(names, [0.4])
    assert sorted([*first, *second]) == [0, 1, 2]


def test_a_new_file_moves_at_most_a_few_others() -> None:
    names = [f"image{i}.png" for i in range(100)]
    before = {names[i] for i in split_by_name(names, [0.2])[1]}
    more = [*names, "new.png"]
    after = {more[i] for i in split_by_name(more, [0.2])[1]}
    assert len(before - after) <= 1


def test_a_share_of_zero_takes_nothing() -> None:
    rest, validation = split_by_name(["a", "b"], [0.0])
    assert rest.tolist() == [0, 1]
    assert validation.tolist() == []


@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(1, 100), st.integers(0, 9))
def test_calibration_takes_classes_in_turns(labels: list[int], count: int, seed: int) -> None:
    chosen = calibration_indices(with_labels(labels), count, seed)
    assert len(chosen) == min(count, len(labels))
    assert len(set(chosen.tolist())) == len(chosen)
    drawn = np.bincount(np.array(labels)[chosen], minlength=6)
    there = np.bincount(labels, minlength=6)
    for label in range(6):
        # Whoever got less than another had no more to give, or its turn had not come.
        assert drawn[label] >= min(there[label], drawn.max() - 1)


def test_calibration_draws_the_same_for_the_same_seed_and_others_for_another() -> None:
    samples = with_labels([0, 1] * 500)
    assert calibration_indices(samples, 50, 1).tolist() == calibration_indices(samples, 50, 1).tolist()
    assert calibration_indices(samples, 50, 1).tolist() != calibration_indices(samples, 50, 2).tolist()


def test_calibration_works_without_labels() -> None:
    assert len(calibration_indices(with_labels([-1] * 20), 5)) == 5


def test_calibration_with_no_samples_is_refused() -> None:
    with pytest.raises(UsageError, match="0 samples"):
        calibration_indices(with_labels([0, 1]), 0)
