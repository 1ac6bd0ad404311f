"""A quantized network that is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

#: Arrays by name, in groups: ``weights`` and ``biases`` in real numbers; ``steps`` (of weights) and ``ranges`` (of
#: activations) as logarithms of factors on those of the file that the training began with.
Parameters = dict[str, dict[str, Any]]


class QuantizedNetwork(ABC):
    """An int8 file as a function of its weights and scales, and back.

    Attributes:
        data: The file.
        parameters: What is trained, as the file has it.
    """

    data: bytes
    parameters: Parameters

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
