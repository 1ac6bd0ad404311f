"""What the loop of a training needs of a framework."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.models.training.own_loss import OwnLoss
from edgerig.models.training.phase import Phase

Array = NDArray[Any]
#: Variables of the network and of its optimizer, each in their order.
State = tuple[list[Array], list[Array]]


class Learner(Protocol):
    """A network within its framework, with the optimizer that trains it."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Names of the packages that compute; their versions are stored with the network."""

    @property
    def parameters(self) -> int:
        """Number of weights."""

    @property
    def own_loss(self) -> OwnLoss | None:
        """The loss that the network brings with it, of arrays of numpy."""

    def session(self) -> AbstractContextManager[None]:
        """Surrounds training and evaluation: settings of the framework that are restored afterwards."""

    def enter(self, phase: Phase) -> None:
        """Set the layers that learn, with a new optimizer."""

    def start(self, learning_rate: float, epoch: int) -> None:
        """Before the steps of an epoch, counted from 0."""

    def step(self, inputs: NDArray[np.float32], truth: Array) -> tuple[Any, Any]:
        """One step; loss and metric of the batch, see `Score`, as anything that ``float`` waits for.

        Args:
            inputs: Preprocessed samples, shape (n, ...). truth: What is right for them, see `Feed`.
        """

    def finish(self) -> None:
        """After the steps of an epoch."""

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities, (n, classes) or (n, H, W, classes), or real values, for preprocessed samples (n, ...)."""

    def state(self) -> State:
        """Copies of all variables; those of random layers included."""

    def restore(self, network: list[Array], optimizer: list[Array]) -> None:
        """Set all variables to what `state` gave in the same phase."""

    def save(self, path: Path) -> None:
        """Write the network atomically; equal networks give equal bytes."""

    def specs(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """Inputs and outputs of the saved network, with a batch of one."""
