"""What quantization costs on real digits, with a network that was really trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig import plugins
from edgerig.compilers.chains import compile_chains, plan_chains
from edgerig.compilers.float32 import Float32
from edgerig.compilers.quantize import Int8, Int16x8
from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.models.architectures.mnist_cnn import MnistCnn
from edgerig.models.base import TrainSettings
from edgerig.progress import Progress

#: Points of accuracy that int8 may lose.
ALLOWED = 0.005


pytestmark = pytest.mark.slow


def test_int8_loses_at_most_half_a_point(tmp_path: Path, run_litert) -> None:
    digits = plugins.make("dataset", "mnist", Dataset)
    trained = MnistCnn().train(
        digits, TrainSettings(epochs=1, train_samples=5000, batch_size=32, learning_rate=0.002), tmp_path
    )
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


def test_chains_keep_zeros_and_accuracy(tmp_path: Path, run_litert) -> None:
    """Of four fifths of the weights pruned, int8 and training as integers keep each 0, and the accuracy."""
    digits = _few_digits(tmp_path)
    trained = MnistCnn().train(digits, TrainSettings(epochs=3), tmp_path)
    targets = ["prune+float32", "prune+int8", "prune+qat-int8"]
    options = {"prune.share": 0.8, "prune.learning_rate": 0.003, "prune.epochs": 2, "qat_int8.epochs": 1}
    chains = plan_chains(targets, options, trained, digits)
    made, failures = compile_chains(chains, trained, tmp_path, digits, Progress())
    assert failures == []
    files, test = {one.compiler: one.artifact for one in made}, digits.split("test")
    inputs = test.inputs(slice(None), trained.preprocessing)
    answers = {name: run_litert(files[name].path, inputs).argmax(1) for name in targets}
    accuracy = {name: float(np.mean(answer == test.labels)) for name, answer in answers.items()}
    shares = {name: files[name].origins[-1].options["zero_weights"] for name in targets}
    print({name: (f"{accuracy[name]:.2%}", shares[name]) for name in targets})
    assert accuracy["prune+float32"] > 0.8
    for name in targets[1:]:
        before, after = shares[name]
        assert 0.799 < before <= after < 0.82
        assert accuracy[name] >= accuracy["prune+float32"] - 2 * ALLOWED


def _few_digits(folder: Path) -> Npz:
    """A few of MNIST's digits: training on them takes seconds."""
    whole = plugins.make("dataset", "mnist", Dataset)
    train, test = whole.split("train"), whole.split("test")
    counts = {"train": (train, 1500), "test": (test, 1000)}
    pictures = {f"x_{name}": np.stack([s.raw(i) for i in range(n)]) for name, (s, n) in counts.items()}
    np.savez(folder / "few.npz", **pictures, **{f"y_{name}": s.labels[:n] for name, (s, n) in counts.items()})
    return Npz(NpzSettings(file=str(folder / "few.npz"), scale=1 / 255))
