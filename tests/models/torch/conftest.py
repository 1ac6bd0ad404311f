"""A network in PyTorch that has everything whose state must survive: batch statistics, dropout, augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.base import TrainSettings
from edgerig.models.torch.base import TorchModel, import_torch

TWO = TrainSettings(epochs=2, batch_size=64)


class TorchNet(TorchModel):
    name = "torch-net"
    summary = "a tiny network in PyTorch"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (12, 10, 3)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        return batch + rng.normal(0, 0.05, batch.shape).astype(np.float32)

    def build(self, classes: int) -> Any:
        nn = import_torch().nn
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Flatten(),
            nn.Linear(4 * 5 * 4, classes),
        )


@pytest.fixture
def torch_net() -> TorchNet:
    return TorchNet()


@pytest.fixture(scope="session")
def wide_patterns(make_patterns: Any) -> Dataset:
    """Coloured pictures, higher than wide: no two axes are alike."""
    return make_patterns(make_patterns.Settings(shape=(12, 10, 3)))


@pytest.fixture(scope="session")
def trained_torch(wide_patterns: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Artifact]:
    """Two epochs, undisturbed."""
    out = tmp_path_factory.mktemp("torch")
    return out, TorchNet().train(wide_patterns, TWO, out, logdir=out / "logs")
