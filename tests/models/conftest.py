"""A small dataset of patterns that a network learns within seconds, and an even smaller network for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, Samples, SplitName
from edgerig.models.keras.base import KerasModel
from edgerig.models.keras.engine import import_keras
from edgerig.plugins import Settings
from edgerig.progress import Progress

CLASSES = ("zero", "one", "two", "three")


class ArraySamples(Samples):
    """Samples in memory; ``reads`` counts the calls of `inputs`."""

    def __init__(self, pixels: NDArray[np.generic], labels: NDArray[np.int64]) -> None:
        self.pixels, self.labels = pixels, labels
        self.fingerprint = files.sha256(np.ascontiguousarray(pixels).tobytes() + labels.tobytes())
        self.reads = 0

    def raw(self, index: int) -> NDArray[np.generic]:
        return self.pixels[index]

    def inputs(self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing) -> NDArray[np.float32]:
        self.reads += 1
        x = self.pixels[indices].astype(np.float32) * preprocessing.scale
        if preprocessing.resize and x.shape[1:3] != preprocessing.resize:
            rows, columns = (np.arange(n) * s // n for n, s in zip(preprocessing.resize, x.shape[1:3], strict=True))
            x = x[:, rows][:, :, columns]
        return ((x - preprocessing.mean[0]) / preprocessing.std[0]).astype(np.float32)

    def take(self, indices: NDArray[np.int64]) -> Samples:
        return ArraySamples(self.pixels[indices], self.labels[indices])


class PatternSettings(Settings, frozen=True, kw_only=True):
    seed: int = 0
    shape: tuple[int, int, int] = (28, 28, 1)
    train: int = 150
    root: str | None = None


class Patterns(Dataset):
    """Four fixed patterns of pixels with noise."""

    name = "patterns"
    summary = "patterns with noise"
    Settings = PatternSettings
    labels_from = 0

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def _prepare(self, progress: Progress) -> None:
        rng = np.random.default_rng(self.settings.seed)
        patterns = rng.integers(0, 200, (len(CLASSES), *self.settings.shape))
        self.splits: dict[str, ArraySamples] = {}
        for name, n in (("train", self.settings.train), ("validation", 40), ("test", 40)):
            labels = rng.integers(0, len(CLASSES), n)
            pixels = (patterns[labels] + rng.integers(0, 56, (n, *self.settings.shape))).astype(np.uint8)
            self.splits[name] = ArraySamples(pixels, labels.astype(np.int64) + self.labels_from)

    def _split(self, name: SplitName) -> Samples:
        return self.splits[name]


class TinyNet(KerasModel):
    """A network with a convolution, batch statistics, dropout (random state) and augmentation (random batches)."""

    name = "tiny-net"
    summary = "a tiny network"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (28, 28, 1)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        return batch + rng.normal(0, 0.05, batch.shape).astype(np.float32)

    def build(self, classes: int) -> Any:
        keras = import_keras()
        return keras.Sequential(
            [
                keras.Input(self.input_shape, name="image"),
                keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv"),
                keras.layers.BatchNormalization(name="norm"),
                keras.layers.MaxPooling2D(2, name="pool"),
                keras.layers.Flatten(name="flatten"),
                keras.layers.Dropout(0.2, name="dropout"),
                keras.layers.Dense(classes, activation="softmax", name="probabilities"),
            ],
            name="tiny_net",
        )


@pytest.fixture(scope="session")
def make_patterns() -> type[Patterns]:
    return Patterns


@pytest.fixture(scope="session")
def make_tiny_net() -> type[TinyNet]:
    return TinyNet


@pytest.fixture
def patterns() -> Patterns:
    return Patterns()


@pytest.fixture
def tiny_net() -> TinyNet:
    return TinyNet()
