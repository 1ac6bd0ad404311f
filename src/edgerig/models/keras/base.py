"""The base class of networks that are built with Keras 3 and trained on JAX."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.learner import KerasLearner
from edgerig.models.training.loop import train
from edgerig.models.training.phase import Phase
from edgerig.progress import Progress

#: Public names for authors of networks.
__all__ = ["KerasModel", "Phase", "import_keras"]


class KerasModel(ModelWrapper):
    """A network built with Keras 3 and trained on JAX.

    Subclasses fill in `input_shape`, `preprocessing` and `build`, and may override `augment` and `phases`; those that
    learn a class for each pixel set ``per_pixel``, and may override `augment_masked` and `class_weights`.
    """

    extra: ClassVar[str | None] = "train"
    modules: ClassVar[tuple[str, ...]] = ("keras", "jax", "tensorboardX")

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]: ...

    @abstractmethod
    def preprocessing(self, dataset: Dataset) -> Preprocessing: ...

    @abstractmethod
    def build(self, classes: int) -> Any: ...

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """A changed copy of a training batch, shape (n, ...), such as shifted pictures; by default ``batch``."""
        return batch

    def augment_masked(
        self, batch: NDArray[np.float32], masks: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Changed copies of a batch of images, (n, H, W, C), and of their masks, (n, H, W), moved alike."""
        return batch, masks

    @property
    def class_weights(self) -> tuple[float, ...]:
        """Weight of each class's pixels in the loss; empty for 1 each."""
        return ()

    def phases(self, settings: TrainSettings) -> tuple[Phase, ...]:
        """The phases of a training, in order."""
        return (Phase(settings.epochs, settings.learning_rate),)

    def learner(self, classes: int, seed: int) -> KerasLearner:
        """The network with its optimizer, for the loop of the training."""
        return KerasLearner(self, classes, seed)

    def train(
        self,
        dataset: Dataset,
        settings: TrainSettings,
        out: Path,
        *,
        resume: bool = False,
        logdir: Path | None = None,
        progress: Progress | None = None,
    ) -> Artifact:
        self.require()
        return train(self, dataset, settings, out, resume=resume, logdir=logdir, progress=progress or Progress())
