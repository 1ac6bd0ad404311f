"""Networks in PyTorch that learn a class for each pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.needs import need_torch

import edgerig
from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.onnx import Onnx
from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.errors import IncompatibleError
from edgerig.models.base import ModelWrapper, Objective, TrainSettings
from edgerig.models.torch.base import TorchModel, import_torch
from edgerig.models.torch.learner import TorchLearner
from edgerig.models.training.phase import Phase
from edgerig.testing.contracts.model import ModelContract

need_torch()
#: Higher than wide: no two axes are alike.
HEIGHT, WIDTH = 12, 10
CLASSES = ("ground", "red", "blue")


class Painter(TorchModel):
    name = "painter"
    summary = "two convolutions that give a class for each pixel"
    objective: Objective = "pixels"
    weights: tuple[float, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (HEIGHT, WIDTH, 3)

    @property
    def class_weights(self) -> tuple[float, ...]:
        return self.weights

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def build(self, classes: int) -> Any:
        nn = import_torch().nn
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, classes, 1))

    def augment_masked(
        self, batch: NDArray[np.float32], masks: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        turned = rng.random() < 0.5
        return (batch[:, ::-1].copy(), masks[:, ::-1].copy()) if turned else (batch, masks)


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Npz:
    """A red and a blue square on grey ground, with a row that is ignored."""
    rng = np.random.default_rng(0)
    images = rng.integers(90, 130, (120, HEIGHT, WIDTH, 3)).astype(np.uint8)
    masks = np.zeros((120, HEIGHT, WIDTH), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        for label, channel in ((1, 0), (2, 2)):
            top, left = rng.integers(0, HEIGHT - 4), rng.integers(0, WIDTH - 4)
            mask[top : top + 4, left : left + 4] = label
            image[top : top + 4, left : left + 4] = 20
            image[top : top + 4, left : left + 4, channel] = 230
    masks[:, 5] = 255
    path = tmp_path_factory.mktemp("squares") / "d.npz"
    np.savez(path, x=images, y=masks, classes=np.array(CLASSES))
    return Npz(NpzSettings(file=str(path)))


@pytest.mark.slow
class TestPainter(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return Painter()

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, squares: Npz) -> Dataset:
        return squares


@pytest.mark.parametrize("weights", [(), (0.5, 2.0, 1.0)])
def test_a_step_minimizes_the_weighted_cross_entropy_of_known_pixels(weights: tuple[float, ...]) -> None:
    """The oracle: numpy, on the probabilities before the step, channels last."""
    wrapper = Painter()
    wrapper.weights = weights
    learner = TorchLearner(wrapper, 3, 1)
    rng = np.random.default_rng(0)
    inputs = rng.random((4, HEIGHT, WIDTH, 3), np.float32)
    masks = rng.integers(-1, 3, (4, HEIGHT, WIDTH)).astype(np.int32)
    chances = learner.predict(inputs)
    assert chances.shape == (4, HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(chances.sum(axis=-1), 1.0, rtol=1e-5)
    known = masks >= 0
    right = np.take_along_axis(chances, np.maximum(masks, 0)[..., None], axis=-1)[..., 0]
    share = np.array(weights or (1.0, 1.0, 1.0))[np.maximum(masks, 0)] * known
    learner.enter(Phase(1, 0.01))
    learner.start(0.01, 0)
    loss, metric = learner.step(inputs, masks)
    assert float(loss) == pytest.approx(-(share * np.log(right)).sum() / share.sum(), rel=1e-4)
    assert float(metric) == pytest.approx((chances.argmax(-1) == masks)[known].mean(), rel=1e-5)


def test_a_batch_of_ignored_pixels_changes_nothing() -> None:
    learner = TorchLearner(Painter(), 3, 1)
    learner.enter(Phase(1, 0.01))
    learner.start(0.01, 0)
    masks = np.full((2, HEIGHT, WIDTH), -1, np.int32)
    loss, metric = learner.step(np.ones((2, HEIGHT, WIDTH, 3), np.float32), masks)
    assert (float(loss), float(metric)) == (0.0, 0.0)


def test_a_map_of_another_size_is_refused() -> None:
    class Half(Painter):
        def build(self, classes: int) -> Any:
            return import_torch().nn.Conv2d(3, classes, 2, stride=2)

    learner = TorchLearner(Half(), 3, 1)
    learner.enter(Phase(1, 0.01))
    learner.start(0.01, 0)
    with pytest.raises(IncompatibleError, match=r"gives \[3, 6, 5\] a sample, and is to give \['classes', 12, 10\]"):
        learner.step(np.ones((2, HEIGHT, WIDTH, 3), np.float32), np.zeros((2, HEIGHT, WIDTH), np.int32))


@pytest.mark.slow
def test_masks_are_learned_exported_and_measured(squares: Npz, tmp_path: Path) -> None:
    settings = TrainSettings(epochs=12, batch_size=16, learning_rate=0.02)
    trained: Artifact = Painter().train(squares, settings, tmp_path / "train")
    assert trained.outputs[0].shape == (1, 3, HEIGHT, WIDTH)
    exported = Onnx().compile(trained, tmp_path / "onnx")
    rig = {
        "name": "t",
        "models": [{"file": trained.path, "name": "pt"}, {"file": exported.path, "name": "onnx"}],
        "dataset": {"use": "npz", "file": squares.settings.file},
        "matrix": [
            {"models": ["pt"], "runtimes": ["torch"]},
            {"models": ["onnx"], "runtimes": ["onnxruntime"]},
        ],
        "measure": {"warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 2},
    }
    result = edgerig.run(rig, out=tmp_path / "out")
    for cell in result.cells:
        scores = {metric.name: metric.value for metric in cell.quality.metrics}
        assert scores["mean_iou"] > 0.9
    first, second = ({m.name: m.value for m in cell.quality.metrics}["mean_iou"] for cell in result.cells)
    assert first == pytest.approx(second, abs=0.002)
