import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.input_fit import InputFit, judge_fit, measure_fit, summarize_fit
from edgerig.datasets.preprocess import quantize_input

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.float32)
NORMAL = np.random.default_rng(1).normal(0, 2, (50, 8, 8, 1)).astype(np.float32)


def spec(dtype: str, scale: float | None = None, zero_point: int = 0) -> TensorSpec:
    return TensorSpec("x", (1, 8, 8, 1), dtype, None if scale is None else Quantization((scale,), (zero_point,)))


def fit_of(x: np.ndarray, tensor: TensorSpec) -> InputFit | None:
    x = x.astype(np.float32)
    return summarize_fit(measure_fit(x, quantize_input(x, tensor), tensor), tensor)


@given(st.floats(0.001, 2.0), st.integers(-128, 127), st.integers(0, 2**32 - 1))
def test_clamped_values_are_counted_exactly(scale: float, zero_point: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 30, (3, 8, 8, 1)).astype(np.float32)
    fit = fit_of(x, spec("int8", scale, zero_point))
    assert fit is not None
    q = np.rint(x.astype(np.float64) / np.float64(np.float32(scale))) + zero_point
    # Halves round to even here and away from zero there.
    assert abs(fit.below - int((q < -128).sum())) <= 1
    assert abs(fit.above - int((q > 127).sum())) <= 1
    assert fit.values == x.size


@pytest.mark.parametrize(
    ("tensor", "x"),
    [
        (spec("int8", 1 / 255, -128), PIXELS / 255),
        (spec("uint8", 1 / 255, 0), PIXELS / 255),
        (spec("int8", 1.0, -128), PIXELS),
        (spec("uint8"), PIXELS),
        (spec("int8"), PIXELS - 128),
        (spec("int16", 1 / 32767), PIXELS / 255),
        (spec("int32"), PIXELS),
        # White lies half a step beyond what 1 / 256 reaches.
        (spec("int8", 1 / 256, -128), (PIXELS > 128).astype(np.float32)),
        # What is beyond three standard deviations is clipped.
        (spec("int8", 0.05, 0), NORMAL),
        (spec("int8", 1.0, 0), (PIXELS > 128).astype(np.float32)),
        # Calibrated on more samples than these, with a few that lie farther out.
        (spec("int8", 2 * 2 * 4.5 / 255, 0), NORMAL),
        (spec("int16", 2 / 32767), PIXELS / 255),
        (spec("uint8"), PIXELS % 10),
    ],
)
def test_samples_that_fit_are_not_warned_of(tensor: TensorSpec, x: np.ndarray) -> None:
    assert judge_fit(fit_of(x, tensor)) == []


@pytest.mark.parametrize(
    ("tensor", "x", "said"),
    [
        (spec("int8", 1 / 255, 0), PIXELS / 255, "were clamped"),
        (spec("int8", 1 / 255, -118), PIXELS / 255, "were clamped"),
        (spec("int8", 1 / 255, -128), PIXELS, "whole numbers"),
        (spec("int8", 1 / 255, -128), PIXELS - 128, "whole numbers"),
        (spec("int8", 1.0, -128), PIXELS.astype(np.uint8).view(np.int8), "were clamped"),
        (spec("int8"), PIXELS, "were clamped"),
        (spec("uint8"), PIXELS / 255, "too coarse"),
        (spec("int8", 1.0, -128), PIXELS / 255, "too coarse"),
        (spec("int16", 1 / 32767), PIXELS, "were clamped"),
        (spec("uint8", 1 / 255, 0), (PIXELS / 255 - 0.45) / 0.22, "were clamped"),
        (spec("int8", 2 / 255, -1), PIXELS / 255, "reach over 50%"),
        (spec("uint8", 1 / 127.5, 128), PIXELS / 255, "reach over 50%"),
        (spec("int8", 4 / 255, -128), PIXELS / 255, "reach over 25%"),
    ],
)
def test_samples_that_do_not_fit_are_warned_of(tensor: TensorSpec, x: np.ndarray, said: str) -> None:
    (text,) = judge_fit(fit_of(x, tensor))
    assert said in text


@pytest.mark.parametrize("good", [1, 5, 30])
def test_few_samples_that_fit_do_not_hide_many_that_do_not(good: int) -> None:
    """50 images, the first ones as the network takes them and all others scaled to 0 to 1."""
    x = PIXELS / 255
    x[:good] *= 255
    (text,) = judge_fit(fit_of(x, spec("int8", 1.0, -128)))
    assert f"changes {(50 - good) / 50:.0%} of the samples" in text or "too coarse for them" in text


def test_an_outlier_does_not_hide_samples_that_do_not_fit() -> None:
    x = PIXELS / 255
    x[3, 0, 0, 0] = 255
    (text,) = judge_fit(fit_of(x, spec("int8", 1.0, -128)))
    assert "too coarse" in text


def test_blank_images_and_single_numbers_are_not_taken_for_badly_scaled_ones() -> None:
    x = PIXELS / 255
    x[:40] = 0.5
    x[40:45] = 0.5 + PIXELS[40:45] / 25500
    assert judge_fit(fit_of(x, spec("int8", 1 / 255, -128)), reach=False) == []
    one = TensorSpec("x", (1, 1), "int8", Quantization((1.0,), (0,)))
    assert judge_fit(fit_of(np.arange(50.0).reshape(50, 1) % 3 / 3, one), reach=False) != []
    assert judge_fit(fit_of(np.arange(50.0).reshape(50, 1), one), reach=False) == []


def test_numbers_that_are_not_of_the_sort_that_an_input_was_made_for_need_not_fill_its_range() -> None:
    assert judge_fit(fit_of(PIXELS / 255, spec("int8", 2 / 255, -1)), reach=False) == []


def test_real_inputs_clamp_nothing() -> None:
    assert fit_of(PIXELS, spec("float32")) is None
    assert judge_fit(None) == []


def test_samples_measured_in_pieces_give_the_same_as_all_at_once() -> None:
    tensor = spec("int8", 1 / 255, 0)
    x = (PIXELS / 255).astype(np.float32)
    q = quantize_input(x, tensor)
    whole = measure_fit(x, q, tensor)
    parts = np.concatenate([measure_fit(x[:7], q[:7], tensor), measure_fit(x[7:], q[7:], tensor)])
    assert (whole == parts).all()


def test_infinite_values_are_clamped_and_leave_finite_figures() -> None:
    x = PIXELS / 255
    x[0, 0, 0, 0] = np.inf
    fit = fit_of(x, spec("int8", 1 / 255, -128))
    assert fit is not None
    assert (fit.above, fit.error) == (1, None)
    assert np.isfinite(fit.greatest)
