"""Networks in PyTorch that learn real values: the targets of a regression, or their own input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_torch

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.datasets.friedman import Friedman
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.errors import IncompatibleError
from edgerig.models.base import ModelWrapper, Objective, TrainSettings
from edgerig.models.torch.base import TorchModel, import_torch
from edgerig.models.torch.learner import TorchLearner
from edgerig.models.training.batches import Feed
from edgerig.models.training.phase import Phase
from edgerig.models.training.scores import score_of
from edgerig.plugins import make
from edgerig.testing.contracts.model import ModelContract

need_torch()


class Line(TorchModel):
    name = "line"
    summary = "one linear layer for regression"
    objective: Objective = "targets"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (10,)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def build(self, classes: int) -> Any:
        return import_torch().nn.Linear(10, classes)


class Mirror(TorchModel):
    name = "mirror"
    summary = "one convolution that gives pictures of the size that it takes"
    objective: Objective = "reconstruction"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (6, 5, 3)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def build(self, classes: int) -> Any:
        return import_torch().nn.Conv2d(3, 3, 3, padding=1)


@pytest.mark.slow
class TestLine(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return Line()

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> Dataset:
        return make("dataset", "friedman", Friedman, {"train": 60, "validation": 20, "test": 20})


@pytest.mark.slow
class TestMirror(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return Mirror()

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
        path = tmp_path_factory.mktemp("pictures") / "d.npz"
        rng = np.random.default_rng(0)
        np.savez(path, x=rng.integers(0, 256, (80, 6, 5, 3), np.uint8), y=np.arange(80) % 2)
        return Npz(NpzSettings(file=str(path)))


def test_a_step_minimizes_the_mean_squared_error() -> None:
    """The oracle: numpy, on the weights before the step; where a target is not known, as if it were not there."""
    learner = TorchLearner(Line(), 2, 1)
    rng = np.random.default_rng(0)
    inputs, truth = rng.random((8, 10), np.float32), rng.normal(size=(8, 2)).astype(np.float32)
    truth[2, 1] = np.nan
    weight, bias = (parameter.detach().numpy().copy() for parameter in learner.network.parameters())
    errors = (inputs @ weight.T + bias - truth).astype(float)
    learner.enter(Phase(1, 0.01))
    learner.start(0.01, 0)
    loss, metric = learner.step(inputs, truth)
    assert float(loss) == pytest.approx(np.nanmean(errors**2), rel=1e-5)
    assert float(metric) == pytest.approx(np.nanmean(np.abs(errors)), rel=1e-5)
    slope = np.nansum(2 * errors[:, :, None] * inputs[:, None], axis=0) / 15
    np.testing.assert_allclose(learner.network.weight.grad.numpy(), slope, rtol=1e-4, atol=1e-6)


def test_a_step_of_labels_minimizes_the_binary_cross_entropy() -> None:
    """The oracle: numpy, on the weights before the step, without the label that is not known."""

    class Labels(Line):
        objective: Objective = "labels"

    learner = TorchLearner(Labels(), 2, 1)
    rng = np.random.default_rng(0)
    inputs, truth = rng.random((8, 10), np.float32), rng.integers(0, 2, (8, 2)).astype(np.int32)
    truth[2, 1] = -1
    weight, bias = (parameter.detach().numpy().copy() for parameter in learner.network.parameters())
    chances, known = 1 / (1 + np.exp(-(inputs @ weight.T + bias))), truth >= 0
    np.testing.assert_allclose(learner.predict(inputs), chances, rtol=1e-5)
    learner.enter(Phase(1, 0.01))
    learner.start(0.01, 0)
    loss, metric = learner.step(inputs, truth)
    losses = -np.log(np.where(truth == 1, chances, 1 - chances))
    assert float(loss) == pytest.approx(losses[known].mean(), rel=1e-5)
    assert float(metric) == pytest.approx(((chances >= 0.5) == (truth == 1))[known].mean(), rel=1e-5)
    slope = np.where(known, chances - truth, 0.0).T @ inputs / 15
    np.testing.assert_allclose(learner.network.weight.grad.numpy(), slope, rtol=1e-4, atol=1e-6)


def test_pictures_are_held_against_pictures_pixel_by_pixel(tmp_path: Path) -> None:
    """A convolution that passes everything through has no error, whatever the order of the axes."""
    torch = import_torch()
    learner = TorchLearner(Mirror(), 90, 1)
    with torch.no_grad():
        learner.network.weight.zero_()
        for channel in range(3):
            learner.network.weight[channel, channel, 1, 1] = 1
        learner.network.bias.zero_()
    pictures = np.random.default_rng(0).integers(0, 256, (9, 6, 5, 3), np.uint8)
    np.savez(tmp_path / "d.npz", x=pictures, y=np.zeros(9, int))
    samples = Npz(NpzSettings(file=str(tmp_path / "d.npz"), validation=0.2, test=0.3))
    samples.task = "none"
    feed = Feed(samples.split("train"), Preprocessing(scale=1 / 255), 4, "reconstruction")
    assert score_of(learner.predict, feed.in_order()).loss == pytest.approx(0, abs=1e-12)
    learner.enter(Phase(1, 0.01))
    learner.start(0.01, 0)
    for inputs, truth in feed.in_order():
        assert float(learner.step(inputs[: len(truth)], truth)[0]) < 1e-3
        break


@pytest.mark.slow
def test_another_number_of_values_is_refused(tmp_path: Path) -> None:
    class Two(Line):
        def build(self, classes: int) -> Any:
            return import_torch().nn.Linear(10, 2)

    data = make("dataset", "friedman", Friedman, {"train": 60, "validation": 20, "test": 20})
    with pytest.raises(IncompatibleError, match="gives 2 values a sample, and is to give 1"):
        Two().train(data, TrainSettings(epochs=1), tmp_path)
