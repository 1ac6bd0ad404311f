"""What goes into a float input: real numbers, pixels, or integers that somebody quantized."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.artifact import TensorSpec
from edgerig.datasets.real_input_fit import judge_real_input, judge_real_inputs

FLOAT, INT8 = TensorSpec("x", (1, 10), "float32"), TensorSpec("x", (1, 10), "int8")
RNG = np.random.default_rng(0)
SIGNED = RNG.integers(-128, 128, (8, 10)).astype(np.int8)
PIXELS = SIGNED.view(np.uint8)


def test_int8_samples_are_named_however_good_the_answers_are() -> None:
    (text,) = judge_real_input(SIGNED.astype(np.float32), SIGNED[0], FLOAT, guesses=False)
    assert "go into a float input as they are" in text
    assert "scale * (q - zero point)" in text


def test_pixels_are_usual_unless_the_answers_are_a_guess() -> None:
    fed = PIXELS.astype(np.float32)
    assert judge_real_input(fed, PIXELS[0], FLOAT, guesses=False) == []
    (text,) = judge_real_input(fed, PIXELS[0], FLOAT, guesses=True)
    assert "cast as unsigned" in text
    (text,) = judge_real_input(fed * 300, PIXELS[0], FLOAT, guesses=True)
    assert "quantized already." in text


@pytest.mark.parametrize(
    ("fed", "raw", "spec"),
    [
        ((SIGNED - 3.0) * 0.58, SIGNED[0], FLOAT),  # dequantized
        (PIXELS / 255, PIXELS[0], FLOAT),
        (SIGNED.astype(np.float32), SIGNED[0], INT8),  # an integer input is judged by its scale
        ((SIGNED > 0).astype(np.float32), SIGNED[0], FLOAT),  # yes and no
        (SIGNED[:1].astype(np.float32), SIGNED[0], FLOAT),  # too few
        (np.full((8, 10), np.nan), SIGNED[0], FLOAT),
    ],
)
def test_what_is_not_odd_is_not_named(fed: np.ndarray, raw: np.ndarray, spec: TensorSpec) -> None:
    assert judge_real_input(fed, raw, spec, guesses=True) == []


def test_several_inputs_are_named() -> None:
    fed = {"a": SIGNED.astype(np.float32), "b": SIGNED * 0.5}
    (text,) = judge_real_inputs(fed, SIGNED[0], {"a": FLOAT, "b": FLOAT}, guesses=False)
    assert text.startswith("Input 'a': The samples are int8")
