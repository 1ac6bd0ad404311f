"""A small trained network with depthwise convolutions, and the data that it learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.compilers.conftest import Pictures

from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.compression.fine_tuning import fine_tune
from edgerig.compilers.compression.keras_network import KerasNetwork
from edgerig.compilers.compression.network import Held
from edgerig.compilers.compression.settings import FineTuningSettings
from edgerig.datasets.base import Dataset, Samples
from edgerig.models.files import open_artifact
from edgerig.models.keras.files import load_keras
from edgerig.progress import Progress

CLASSES = tuple("abcdef")
SIZES = {"train": 900, "validation": 300, "test": 900}


class Waves(Dataset):
    """Pictures of stripes in six directions, of any phase, under noise."""

    name = "waves"
    summary = "stripes in noise"

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def _prepare(self, progress: Any) -> None: ...

    def _split(self, name: str) -> Samples:
        rng = np.random.default_rng(list(SIZES).index(name))
        count = SIZES[name]
        labels = np.arange(count, dtype=np.int64) % len(CLASSES)
        angles = (labels / len(CLASSES) * np.pi)[:, None, None]
        rows, columns = np.mgrid[:12, :12]
        phases = rng.uniform(0, 2 * np.pi, (count, 1, 1))
        waves = np.sin(1.3 * (np.cos(angles) * rows + np.sin(angles) * columns) + phases)
        pictures = 127 + 50 * waves + rng.normal(0, 60, waves.shape)
        return Pictures(np.clip(pictures, 0, 255).astype(np.float32)[..., None], labels)


@pytest.fixture(scope="session")
def waves() -> Dataset:
    return Waves()


@pytest.fixture(scope="session")
def trained_net(waves: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Convolution, depthwise and pointwise convolutions, all normalized, 12x12x1 to 6 classes; trained."""
    from edgerig.models.keras.engine import import_keras, seeded

    layers = import_keras().layers
    with seeded(3):
        model = import_keras().Sequential(
            [
                layers.Input((12, 12, 1)),
                layers.Conv2D(8, 5, strides=2, use_bias=False),
                layers.BatchNormalization(momentum=0.9),
                layers.ReLU(),
                layers.DepthwiseConv2D(3, padding="same", use_bias=False),
                layers.BatchNormalization(momentum=0.9),
                layers.ReLU(),
                layers.Conv2D(12, 1, use_bias=False),
                layers.BatchNormalization(momentum=0.9),
                layers.ReLU(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(6, activation="softmax"),
            ]
        )
    path: Path = tmp_path_factory.mktemp("waves") / "net.keras"
    model.save(path)
    artifact = open_artifact(path, preprocessing=Preprocessing(scale=1 / 255), classes=CLASSES)
    # To its end: what training on would bring is not to be taken for what training as integers brings.
    for rate in (0.01, 0.001):
        how = FineTuningSettings(epochs=15, learning_rate=rate)
        fine_tune(KerasNetwork(model), artifact, waves, how, Progress(), Held())
    model.save(path)
    return open_artifact(path, preprocessing=Preprocessing(scale=1 / 255), classes=CLASSES)


@pytest.fixture(scope="session")
def spread_net(trained_net: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The same function, but channels of the first layers differ 250 times, which one scale cannot serve.

    What a channel is multiplied with before a ReLU, the depthwise convolution after it divides by (Nagel et al.,
    "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, turned round).
    """
    model = load_keras(Path(trained_net.path))
    factors = np.geomspace(0.06, 16, 8).astype(np.float32)
    gamma, beta = model.layers[1].gamma, model.layers[1].beta
    gamma.assign(np.asarray(gamma.value) * factors)
    beta.assign(np.asarray(beta.value) * factors)
    depthwise = model.layers[3].kernel
    depthwise.assign(np.asarray(depthwise.value) / factors[:, None])
    path = tmp_path_factory.mktemp("spread") / "net.keras"
    model.save(path)
    return open_artifact(path, preprocessing=Preprocessing(scale=1 / 255), classes=CLASSES)


def right(run: Any, path: str | Path, dataset: Dataset) -> NDArray[np.bool_]:
    """Whether a network is right, for each sample of the test split; ``run``: see `run_litert`."""
    samples = dataset.split("test")
    outputs = run(path, samples.inputs(slice(None), dataset.preprocessing))
    answers: NDArray[np.bool_] = outputs.argmax(-1) == samples.labels
    return answers
