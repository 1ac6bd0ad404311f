"""What quantization costs on real digits, with a network that was really trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig import plugins
from edgerig.compilers.float32 import Float32
from edgerig.compilers.quantize import Int8, Int16x8
from edgerig.datasets.base import Dataset
from edgerig.models.architectures.mnist_cnn import MnistCnn
from edgerig.models.base import TrainSettings

#: Points of accuracy that int8 may lose.
ALLOWED = 0.005


@pytest.mark.slow
def test_int8_loses_at_most_half_a_point(tmp_path: Path, run_litert) -> None:
    digits = plugins.make("dataset", "mnist", Dataset)
    trained = MnistCnn().train(digits, TrainSettings(epochs=1, train_samples=8000), tmp_path)
    exact = Float32().compile(trained, tmp_path)
    test = digits.split("test")
    inputs = test.inputs(slice(None), exact.preprocessing)
    scores = {
        artifact.name: run_litert(artifact.path, inputs)
        for artifact in (exact, *(cls().compile(exact, tmp_path, digits) for cls in (Int8, Int16x8)))
    }
    accuracy = {name: float(np.mean(score.argmax(1) == test.labels)) for name, score in scores.items()}
    print({name: f"{value:.2%}" for name, value in accuracy.items()})
    assert accuracy[exact.name] > 0.94
    assert accuracy[f"{exact.name}_int8"] >= accuracy[exact.name] - ALLOWED
    assert accuracy[f"{exact.name}_int16x8"] >= accuracy[exact.name] - ALLOWED / 5
    assert np.abs(scores[f"{exact.name}_int8"] - scores[exact.name]).mean() < 0.005
