"""A quantized network that is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
        masks: False where a weight is exactly 0 in the float network, of the ``weights`` that have such; by name.
    """

    data: bytes
    parameters: Parameters
    masks: dict[str, NDArray[np.bool_]]

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


def masks_of(reals: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.bool_]]:
    """False where one of the arrays is 0; without those that have no 0."""
    masks = {name: real != 0 for name, real in reals.items()}
    return {name: mask for name, mask in masks.items() if not mask.all()}
