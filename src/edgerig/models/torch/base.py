"""The base class of networks that are built with PyTorch."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.torch.engine import import_torch
from edgerig.models.torch.learner import TorchLearner, channels_first, with_softmax
from edgerig.models.training.loop import train
from edgerig.models.training.phase import Phase
from edgerig.progress import Progress

#: Public names for authors of networks.
__all__ = ["Phase", "TorchModel", "import_torch"]


class TorchModel(ModelWrapper):
    """A network built and trained with PyTorch, and saved as a program of torch.export (``.pt2``), channels first.

    Subclasses fill in `input_shape`, `preprocessing` and `build`, and may override `augment` and `phases`.
    """

    makes = "torch"
    extra: ClassVar[str | None] = "torch"
    modules: ClassVar[tuple[str, ...]] = ("torch", "tensorboardX")

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as datasets have it, channels last; `build` gets it with channels first."""

    @abstractmethod
    def preprocessing(self, dataset: Dataset) -> Preprocessing: ...

    @abstractmethod
    def build(self, classes: int) -> Any:
        """A fresh ``torch.nn.Module`` from (n, C, H, W) to logits, shape (n, classes)."""

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """A changed copy of a training batch, shape (n, ..., C), channels last; by default ``batch``."""
        return batch

    def augment_masked(
        self, batch: NDArray[np.float32], masks: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Not called: PyTorch networks learn one class a sample."""
        return batch, masks

    @property
    def class_weights(self) -> tuple[float, ...]:
        """None: PyTorch networks learn one class a sample."""
        return ()

    def phases(self, settings: TrainSettings) -> tuple[Phase, ...]:
        """The phases of a training, in order; ``learns`` is asked of each module with weights of its own."""
        return (Phase(settings.epochs, settings.learning_rate),)

    def learner(self, classes: int, seed: int) -> TorchLearner:
        """The network with its optimizer, for the loop of the training."""
        return TorchLearner(self, classes, seed)

    def predict(self, network: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        torch = import_torch()
        with torch.no_grad():
            outputs = with_softmax(network).eval()(torch.from_numpy(channels_first(batch)))
        result: NDArray[np.float32] = outputs.numpy()
        return result

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
