"""Equal, different, no evidence: by a network's own rounding noise and spread."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgerig.errors import EngineError
from edgerig.suites.conversion_grid.compare import SHARE, draw_inputs, largest_error, reference_of

SPEC = {"x": ((1, 8), "float32")}
WEIGHTS = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


def dense(sample: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [sample["x"] @ WEIGHTS]


def test_inputs_are_drawn_alike_each_time_by_type() -> None:
    specs = {"x": ((2, 3), "float32"), "n": ((4,), "int64"), "b": ((4,), "bool")}
    first, again = draw_inputs(specs), draw_inputs(specs)
    for one, other in zip(first, again, strict=True):
        for name, (shape, dtype) in specs.items():
            assert np.array_equal(one[name], other[name])
            assert (one[name].shape, str(one[name].dtype)) == (shape, dtype)
    assert not np.array_equal(first[0]["x"], first[1]["x"])
    assert all(0 <= sample["n"].min() <= sample["n"].max() < 10 for sample in first)


def test_an_error_is_a_share_of_the_spread() -> None:
    samples = draw_inputs(SPEC)
    reference = reference_of(dense, samples)
    outputs = np.concatenate([output for sample in reference.outputs for output in sample])
    assert reference.spreads[0] == pytest.approx(outputs.max() - outputs.min())
    assert 0 < reference.noises[0] < 1e-5
    assert not reference.vacuous
    found = [[output.copy() for output in sample] for sample in reference.outputs]
    assert largest_error(reference, found) == (0.0, SHARE + 10 * reference.noises[0], "")
    found[2][0][0, 1] += 0.01 * reference.spreads[0]
    error, allowed, why = largest_error(reference, found)
    assert error == pytest.approx(0.01, rel=1e-3)
    assert "output 0 differs by 0.01 of its spread" in why
    assert allowed < error


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda output: [output, output], "2 outputs instead of 1"),
        (lambda output: [output[0]], r"output 0 has the shape \[3\] instead of \[1, 3\]"),
        (lambda output: [output * np.nan], "output 0 is not finite"),
    ],
)
def test_outputs_of_another_form_are_different_however_close(change, why: str) -> None:
    reference = reference_of(dense, draw_inputs(SPEC))
    error, allowed, message = largest_error(reference, [change(sample[0]) for sample in reference.outputs])
    assert error == float("inf") > allowed
    assert re.search(why, message)


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (lambda sample: [np.zeros((1, 3), np.float32)], "does not depend on the inputs"),
        # Different numbers in one output, and always the same ones.
        (lambda sample: [np.arange(3, dtype=np.float32)], "does not depend on the inputs"),
        (lambda sample: [sample["x"] * np.float32(np.inf)], "is not finite"),
    ],
)
def test_a_network_that_says_nothing_is_no_evidence(run, why: str) -> None:
    assert why in reference_of(run, draw_inputs(SPEC)).vacuous


def test_one_output_that_says_something_is_enough() -> None:
    reference = reference_of(lambda sample: [*dense(sample), np.ones(2, np.float32)], draw_inputs(SPEC))
    assert not reference.vacuous
    assert reference.spreads[1] == 0
    found = [[sample[0], sample[1] + 1] for sample in reference.outputs]
    assert largest_error(reference, found)[0] == 1.0


def test_an_output_that_is_not_finite_hides_nothing_of_the_others() -> None:
    def run(sample: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [np.full((1, 2), np.nan, np.float32), *dense(sample)]

    reference = reference_of(run, draw_inputs(SPEC))
    assert largest_error(reference, reference.outputs) == (0.0, pytest.approx(SHARE, rel=0.5), "")
    half = [[sample[0], sample[1] + reference.spreads[1] / 2] for sample in reference.outputs]
    error, _, why = largest_error(reference, half)
    assert error == pytest.approx(0.5, rel=1e-5)
    assert why.startswith("output 1 differs")


def test_a_network_is_allowed_its_own_noise() -> None:
    """The difference of two large numbers: what is left of it is mostly rounding."""
    big = np.float32(1e4)

    def noisy(sample: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [(sample["x"] * big + big * 100) - (sample["x"] * (big - np.float32(1)) + big * 100)]

    reference = reference_of(noisy, draw_inputs(SPEC))
    assert reference.noises[0] > 1e-2
    exact = [[sample["x"].astype(np.float64)] for sample in draw_inputs(SPEC)]
    error, allowed, why = largest_error(reference, exact)
    assert SHARE < error < allowed
    assert why == ""


def test_classes_have_no_noise() -> None:
    def chosen(sample: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [np.argmax(dense(sample)[0], 1)]

    reference = reference_of(chosen, draw_inputs(SPEC), classes=(0,))
    assert reference.noises == (0.0,)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_compared_and_have_finite_scales(value: float) -> None:
    def partly(sample: dict[str, np.ndarray]) -> list[np.ndarray]:
        (product,) = dense(sample)
        product[0, 0] = value
        return [product, *dense(sample)]

    reference = reference_of(partly, draw_inputs(SPEC))
    assert np.isfinite([*reference.spreads, *reference.noises]).all()
    assert reference.vacuous == ""
    answers = [[output.copy() for output in sample] for sample in reference.outputs]
    assert largest_error(reference, answers)[2] == ""
    answers[1][0][0, 1] += 0.01 * reference.spreads[0]
    assert largest_error(reference, answers)[0] == pytest.approx(0.01, rel=1e-3)
    answers[1][0][0, 0] = 0
    error, _, message = largest_error(reference, answers)
    assert (error, message) == (np.inf, "output 0 is finite where the framework's is otherwise")


@pytest.mark.parametrize("run", [
    lambda sample: [np.where(dense(sample)[0] > 0, dense(sample)[0], np.nan)],
    lambda sample: [np.where(sample["x"].view(np.int32) % 2 == 0, np.nan, sample["x"])],
    lambda sample: [sample["x"][sample["x"].view(np.int32) % 3 == 0]],
])  # fmt: skip
def test_scales_are_numbers_whatever_a_network_says(run) -> None:
    reference = reference_of(run, draw_inputs(SPEC))
    assert np.isfinite([*reference.spreads, *reference.noises]).all()
    assert reference.vacuous


def test_a_network_without_outputs_is_refused() -> None:
    with pytest.raises(EngineError, match="no outputs"):
        reference_of(lambda sample: [], draw_inputs(SPEC))
