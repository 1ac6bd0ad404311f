"""The base class of models: how to build and train a network, and how its inputs are preprocessed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.plugins import Plugin, Settings
from edgerig.progress import Progress

Described = msgspec.Meta
#: What a network learns: ``class``, one class a sample; ``labels``, several labels, each present or not; ``pixels``, a
#: class for each pixel, from masks; ``targets``, the real values of a regression; ``reconstruction``, its own input, as
#: an autoencoder does; ``boxes``, objects and where they are, by a loss that the network brings with it.
Objective = Literal["class", "labels", "pixels", "targets", "reconstruction", "boxes"]


class TrainSettings(Settings, frozen=True, kw_only=True):
    """How to train."""

    epochs: Annotated[int, Described(description="passes over the training split; 0: none", ge=0)] = 3
    batch_size: Annotated[int, Described(description="samples a step", ge=1)] = 32
    learning_rate: Annotated[float, Described(description="step size of Adam", gt=0)] = 0.001
    learning_rate_decay: Annotated[
        float, Described(description="factor on the learning rate after each epoch", gt=0, le=1)
    ] = 1.0
    seed: Annotated[int, Described(description="seed of weights and shuffling", ge=0)] = 1
    train_samples: Annotated[
        Annotated[int, Described(ge=1)] | None, Described(description="use only the first so many samples; else all")
    ] = None


class ModelWrapper(Plugin, ABC):
    """A network of a known architecture, built and trained in one framework.

    Subclasses for Keras and PyTorch derive from `KerasModel` and `TorchModel`, which train and save what they build.

    Class attributes:
        makes: Name of the format in which `train` saves it.
        objective: What it learns, see `Objective`; set on the instance where a setting decides.
        usual: Settings of training that suit it better than the defaults of `TrainSettings`; a user's come first.
    """

    makes: ClassVar[str] = "keras"
    objective: Objective = "class"
    usual: ClassVar[Mapping[str, Any]] = {}

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""

    @abstractmethod
    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        """The preprocessing with which the network is trained on ``dataset``."""

    @abstractmethod
    def build(self, classes: int) -> Any:
        """A fresh network with ``classes`` outputs in its framework, such as an uncompiled Keras model.

        For the objective ``targets`` that is the number of targets, for ``reconstruction`` the number of a sample's
        values.
        """

    def predict(self, network: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """What ``network``, as `build` gives it, answers to preprocessed samples (n, *input_shape): (n, ...)."""
        return np.asarray(network(batch))

    @abstractmethod
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
        """Train on ``dataset`` and save the network, in the format `makes`, with its description to ``out``.

        Checkpoints are written to ``out``; with ``resume`` training goes on from the last one. Event files that
        TensorBoard reads go to ``logdir``.

        Raises:
            MissingExtraError: The framework is not installed.
            DatasetError: The dataset does not fit the network.
            Interrupted: The user stopped it; the last checkpoint is kept.
        """


def check_trainable(model: ModelWrapper, dataset: Dataset) -> None:
    """Refuse a dataset whose samples a model does not take, before they are fetched, where their shape is known.

    Raises:
        IncompatibleError: The shapes differ.
    """
    shape = dataset.sample_shape
    if shape is not None:
        check_input(model, dataset, model.preprocessing(dataset).shape_of(shape))


def check_input(model: ModelWrapper, dataset: Dataset, shape: tuple[int, ...]) -> None:
    """Refuse preprocessed samples of another shape than a model takes.

    Raises:
        IncompatibleError: The shapes differ.
    """
    if shape != model.input_shape:
        raise IncompatibleError(
            f"Model {model.name!r} takes inputs of shape {_by(model.input_shape)}, "
            f"but samples of dataset {dataset.name!r} have {_by(shape)} after preprocessing.",
            "Choose another model or dataset, or settings of theirs that fit.",
        )


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
