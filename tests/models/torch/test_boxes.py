"""Networks in PyTorch that learn boxes, by the same loss as those in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_torch

import edgerig
from edgerig.artifact import Preprocessing
from edgerig.compilers.onnx import Onnx
from edgerig.datasets.base import Dataset
from edgerig.datasets.mnist_scenes import MnistScenes, MnistScenesSettings
from edgerig.models.architectures.detector_loss import CenterLoss
from edgerig.models.base import Objective, TrainSettings
from edgerig.models.torch.base import TorchModel, import_torch
from edgerig.models.torch.learner import TorchLearner
from edgerig.models.training.phase import Phase

need_torch()
SIDE, CELLS = 64, 8


class TorchDetector(TorchModel):
    """A box and ten scores for each of 8x8 cells, (n, 14, 8, 8), in shares of the input's sides."""

    name = "torch-detector"
    summary = "a small detector in PyTorch"
    objective: Objective = "boxes"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (SIDE, SIDE, 1)

    @property
    def own_loss(self) -> CenterLoss:
        return CenterLoss((CELLS, CELLS))

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def build(self, classes: int) -> Any:
        torch = import_torch()
        nn = torch.nn
        layers: list[Any] = []
        channels = 1
        for filters, stride in ((8, 2), (16, 2), (32, 2), (32, 1)):
            layers += [nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
            channels = filters
        head = nn.Conv2d(channels, 4 + classes, 1)
        nn.init.constant_(head.bias, -2.0)

        class Placed(nn.Module):  # type: ignore[misc, name-defined]
            """From shares of a cell to shares of the input."""

            def __init__(self) -> None:
                super().__init__()
                scale, offset = torch.ones(4 + classes, CELLS, CELLS), torch.zeros(4 + classes, CELLS, CELLS)
                scale[:2] = 1 / CELLS
                offset[0], offset[1] = torch.arange(CELLS)[None] / CELLS, torch.arange(CELLS)[:, None] / CELLS
                self.register_buffer("scale", scale)
                self.register_buffer("offset", offset)

            def forward(self, values: Any) -> Any:
                return torch.sigmoid(values) * self.scale + self.offset

        return nn.Sequential(*layers, head, Placed())


def test_a_step_minimizes_the_loss_that_numpy_computes() -> None:
    learner = TorchLearner(TorchDetector(), 10, 1)
    rng = np.random.default_rng(0)
    inputs = rng.random((3, SIDE, SIDE, 1), np.float32)
    targets = np.zeros((3, CELLS, CELLS, 5), np.float32)
    targets[..., 4] = -1
    targets[:, 2, 5] = [0.7, 0.3, 0.2, 0.1, 7]
    targets[1, 6, 1] = [0.2, 0.8, 0.3, 0.3, 2]
    learner.enter(Phase(1, 0.01))
    learner.network.train()
    with import_torch().no_grad():
        outputs = learner.network(import_torch().from_numpy(np.moveaxis(inputs, -1, 1).copy())).numpy()
    expected = CenterLoss((CELLS, CELLS)).losses(targets, np.moveaxis(outputs, 1, -1))
    learner.start(0.01, 0)
    loss, share = learner.step(inputs, targets)
    assert float(loss) == pytest.approx(float(expected.mean()), rel=1e-5)
    assert 0 <= float(share) <= 1
    own_loss = learner.own_loss
    assert own_loss is not None
    np.testing.assert_allclose(own_loss.losses(targets, np.moveaxis(outputs, 1, -1).copy()), expected, rtol=1e-5)


def test_keras_pytorch_and_numpy_compute_one_loss() -> None:
    import jax.numpy

    torch, rng = import_torch(), np.random.default_rng(1)
    outputs = rng.uniform(0.0, 1.0, (2, 3, 4, 4 + 5)).astype(np.float32)
    targets = rng.uniform(0.0, 1.0, (2, 3, 4, 5)).astype(np.float32)
    targets[..., 4] = rng.integers(-1, 5, (2, 3, 4))
    loss = CenterLoss((3, 4))
    by_numpy = loss.losses(targets, outputs)
    np.testing.assert_allclose(loss.losses(jax.numpy.array(targets), jax.numpy.array(outputs)), by_numpy, rtol=1e-5)
    by_torch = loss.losses(torch.from_numpy(targets), torch.from_numpy(outputs))
    np.testing.assert_allclose(by_torch.numpy(), by_numpy, rtol=1e-5)


@pytest.mark.slow
def test_it_learns_to_find_digits_and_goes_to_other_runtimes(tmp_path: Path) -> None:
    sizes = {"train": 400, "validation": 20, "test": 40, "most": 2}
    dataset = MnistScenes(MnistScenesSettings(**sizes))
    settings = TrainSettings(epochs=8, learning_rate=0.01, batch_size=16)
    trained = TorchDetector().train(dataset, settings, tmp_path / "train")
    assert trained.outputs[0].shape == (1, 14, CELLS, CELLS)
    exported = Onnx().compile(trained, tmp_path / "onnx")
    rig = {
        "name": "t",
        "models": [{"file": trained.path, "name": "pt"}, {"file": exported.path, "name": "onnx"}],
        "dataset": {"use": "mnist-scenes", **sizes},
        "task": {"use": "detection", "coordinates": "relative"},
        "matrix": [
            {"models": ["pt"], "runtimes": ["torch"]},
            {"models": ["onnx"], "runtimes": ["onnxruntime"]},
        ],
        "measure": {"warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 2},
    }
    values = [
        {metric.name: metric.value for metric in cell.quality.metrics}["map_50"]
        for cell in edgerig.run(rig, out=tmp_path / "out").cells
    ]
    assert values[0] > 0.2
    assert values[1] == pytest.approx(values[0], abs=0.005)
