"""A quantized network that is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Arrays by name, in groups: ``weights`` and ``biases`` in real numbers; ``steps`` (of weights) and ``ranges`` (of
#: activations) as logarithms of factors on those of the file that the training began with.
Parameters = dict[str, dict[str, Any]]


class QuantizedNetwork(ABC):
    """An int8 file as a function of its weights and scales, and back.

    Attributes:
        data: The file.
        parameters: What is trained, as the file has it.
        reals: The ``weights`` as the float network has them, of those that it has; by name.
    """

    data: bytes
    parameters: Parameters
    reals: dict[str, NDArray[np.float32]]

    @property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """False where a weight is exactly 0 in the float network, of the ``weights`` that have such."""
        masks = {name: real != 0 for name, real in self.reals.items()}
        return {name: mask for name, mask in masks.items() if not mask.all()}

    @property
    def members(self) -> dict[str, NDArray[np.int32]]:
        """The number of the cluster of each weight: those of a cluster are equal in the float network."""
        clusters = {name: np.unique(real, return_inverse=True)[1] for name, real in self.reals.items()}
        return {name: own.reshape(self.reals[name].shape).astype(np.int32) for name, own in clusters.items()}

    @abstractmethod
    def outputs(self, parameters: Parameters, inputs: Sequence[Any], *, rounded: bool) -> list[Any]:
        """What the network gives for one sample, with all weights and activations on their grids; JAX traces it.

        Args:
            inputs: In the shapes of the file, float32.
            rounded: Whether the outputs themselves are on theirs. A loss takes them before that: a probability that
                is rounded to 0 would teach nothing.
        """

    @abstractmethod
    def written(self, parameters: Parameters) -> bytes:
        """The file with the integers and scales of ``parameters``."""

    @abstractmethod
    def numbers(self, data: bytes) -> dict[str, NDArray[Any]]:
        """The integers of each of the ``weights`` in a file that `written` gave, in the shapes of the parameters."""

    @abstractmethod
    def axis(self, name: str) -> int | None:
        """The axis of one of the ``weights`` along which it has several scales; None where it has one."""
