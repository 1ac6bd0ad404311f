"""A loss that a network brings with it, where what it learns is neither classes nor real values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class OwnLoss(ABC):
    """What is right in the form that the loss takes, the loss, and the share that is right."""

    @abstractmethod
    def targets(self, truth: Array) -> NDArray[np.float32]:
        """What the loss takes, (n, ...), from `Samples.truth` of n samples."""

    @abstractmethod
    def losses(self, targets: Any, outputs: Any) -> Any:
        """The loss of each sample, (n,), as the framework differentiates it: of JAX arrays for a Keras model, of
        tensors for one in PyTorch, which has grids (n, numbers, rows, columns) turned to (n, rows, columns, numbers).
        """

    @abstractmethod
    def hits(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """How many of each sample's parts are right, and how many there are, (n,) each: the accuracy of a training."""
