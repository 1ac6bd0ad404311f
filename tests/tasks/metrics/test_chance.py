import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.tasks.metrics import chance
from edgerig.tasks.metrics.chance import beats_majority, expected_agreement, majority, sign_test


def matrix(labels: list[int], answers: list[int], classes: int = 10) -> np.ndarray:
    found = np.zeros((classes, classes), np.int64)
    np.add.at(found, (labels, answers), 1)
    return found


def test_the_examples_hold() -> None:
    assert doctest.testmod(chance).failed == 0


def test_always_answering_the_largest_class_is_guessing_however_large_it_is() -> None:
    for share in (100, 150, 500, 950):
        labels = [3] * share + [int(i) for i in np.resize([0, 1, 2, 4, 5, 6, 7, 8, 9], 1000 - share)]
        found = matrix(labels, [3] * 1000)
        assert majority(found).share >= share / 1000
        assert not beats_majority(found)


def test_drawing_answers_by_the_frequencies_of_the_classes_is_guessing() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(10, 2000, p=[0.28, *[0.08] * 9])
    passed = [beats_majority(matrix(labels, rng.permutation(labels))) for _ in range(100)]
    assert not any(passed)


def test_a_network_that_knows_something_beats_the_largest_class() -> None:
    labels = np.resize(np.arange(10), 1000)
    answers = labels.copy()
    answers[:800] = 0
    assert beats_majority(matrix(labels, answers))
    many = np.r_[np.zeros(950, int), np.ones(50, int)]
    seen = many.copy()
    seen[-10:] = 0  # 99 % right where always answering 0 gives 95 %
    assert beats_majority(matrix(many, seen))


def test_accuracy_below_that_of_the_largest_class_is_never_better() -> None:
    labels = np.r_[np.zeros(900, int), np.ones(100, int)]
    answers = labels.copy()
    answers[:200] = 1
    assert not beats_majority(matrix(labels, answers))


def test_few_samples_prove_little() -> None:
    assert not beats_majority(matrix([0, 0, 1], [0, 0, 1]))
    assert beats_majority(matrix(list(range(10)), list(range(10))))


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_sign_test_is_the_binomial_one(first: int, second: int) -> None:
    n, less = first + second, min(first, second)
    exact = min(1.0, 2 * sum(math.comb(n, k) for k in range(less + 1)) / 2**n)
    assert sign_test(first, second) == pytest.approx(exact)
    assert sign_test(first, second) == sign_test(second, first)


def test_the_sign_test_of_many_goes_on_where_the_exact_one_ends() -> None:
    assert sign_test(550, 450) == pytest.approx(sign_test(551, 450), rel=0.15)
    assert 0 < sign_test(100_000, 101_000) < 0.05


def test_agreement_by_chance_is_what_the_frequencies_give() -> None:
    assert expected_agreement(np.zeros(5, int), np.zeros(5, int)) == 1
    assert expected_agreement(np.arange(10), np.arange(10)) == pytest.approx(0.1)
    assert expected_agreement(np.array([0] * 9 + [1]), np.array([0] * 8 + [1] * 2)) == pytest.approx(0.72 + 0.02)
