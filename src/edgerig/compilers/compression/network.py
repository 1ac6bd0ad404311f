"""The seam between what makes networks smaller and the frameworks that they are built with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.models.base import Objective
from edgerig.models.training.batches import Feed

#: Weights by name.
Kernels = dict[str, NDArray[Any]]


class Held(msgspec.Struct, frozen=True, eq=False):
    """What stays true of kernels while they are trained, by their names.

    Attributes:
        masks: False where a weight is to be 0.
        members: The number of the cluster of each weight; those of a cluster stay equal.
    """

    masks: Mapping[str, NDArray[np.bool_]] = {}
    members: Mapping[str, NDArray[np.int32]] = {}


class Costs(msgspec.Struct, frozen=True):
    """Multiply-accumulates of an inference and parameters of a network."""

    macs: int
    parameters: int


class Learner(ABC):
    """A network that is being fine-tuned."""

    @abstractmethod
    def session(self) -> AbstractContextManager[Any]:
        """Wraps the whole of it, with random numbers from a seed; equal sessions give equal weights."""

    @abstractmethod
    def start(self, learning_rate: float) -> None:
        """Begin an epoch."""

    @abstractmethod
    def step(self, inputs: NDArray[np.float32], truth: NDArray[Any]) -> Any:
        """One step of Adam on a batch of samples as a dataset has them, (n, ...); its loss, computed or not."""

    @abstractmethod
    def finish(self) -> None:
        """End an epoch."""

    @abstractmethod
    def outputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the network gives for a batch, (n, ...), classes last; before or after a session."""


class Network(ABC):
    """A network of one framework, in memory.

    Class attributes:
        learns_logits: Whether a network that gives logits of classes, no probabilities, can be fine-tuned.
    """

    learns_logits: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def load(cls, path: Path, name: str) -> Self:
        """The network in a file; ``name`` is what messages call it.

        Raises:
            ModelError: It cannot be read.
            IncompatibleError: It is of a kind that cannot be changed.
        """

    @classmethod
    @abstractmethod
    def costs_of(cls, path: Path) -> Costs:
        """What the network in a file costs, at a batch of one."""

    @abstractmethod
    def kernels(self) -> Kernels:
        """The weights that inputs are multiplied with, float32, in the network's order; no bias, normalization or
        embedding."""

    @abstractmethod
    def put(self, kernels: Kernels) -> None:
        """Replace kernels, by their names."""

    @abstractmethod
    def without_channels(self, share: float) -> tuple[Network, dict[str, tuple[int, int]], dict[str, str]]:
        """The network without the weakest ``share`` of channels of each layer where its graph allows it, see
        `edgerig.compilers.compression.channels`.

        Returns:
            The new network; channels before and after, by layer; and why the others were left alone, by layer.
        """

    @abstractmethod
    def learner(
        self, artifact: Artifact, dataset: Dataset, feed: Feed, objective: Objective, held: Held, seed: int
    ) -> Learner:
        """What trains all its layers.

        Raises:
            IncompatibleError: It has several inputs or outputs, or does not fit the dataset or training at all.
        """

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write it; equal networks give equal bytes."""


def kernels_of(network: Network, artifact: Artifact, compiler: str) -> Kernels:
    """The kernels of a network that ``compiler`` is to change.

    Raises:
        IncompatibleError: It has none.
    """
    kernels = network.kernels()
    if not kernels:
        raise IncompatibleError(
            f"{artifact.name} has no kernel, whose weights compiler {compiler!r} changes: no convolution, no dense and "
            "no recurrent layer.",
            "Name a network with such layers; biases, normalizations and embeddings are left as they are.",
        )
    return kernels


def zeros_in(network: Network) -> float:
    """The share of the weights in kernels that are 0."""
    arrays = list(network.kernels().values())
    zeros = sum(int((array == 0).sum()) for array in arrays)
    return round(zeros / max(1, sum(array.size for array in arrays)), 6)


def masks_of_zeros(network: Network) -> dict[str, NDArray[np.bool_]]:
    """The masks of the kernels that have weights that are exactly 0, as pruned ones have."""
    masks = {name: array != 0 for name, array in network.kernels().items()}
    return {name: mask for name, mask in masks.items() if not mask.all()}
