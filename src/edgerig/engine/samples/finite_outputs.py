"""Whether a network's outputs are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError

Array = NDArray[Any]


class FiniteOutputs:
    """Counts samples with an output that is infinite or NaN.

    Args:
        specs: The outputs.
    """

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        self._specs = specs
        self._bad = [0] * len(specs)
        self._samples = 0

    def look(self, outputs: Sequence[Array]) -> None:
        """Count in the outputs of some samples, each of shape (n, ...)."""
        self._samples += len(outputs[0])
        for index, array in enumerate(outputs):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                self._bad[index] += int((~np.isfinite(array.reshape(len(array), -1)).all(axis=1)).sum())

    def check(self, finite: Array | None = None, judged: Sequence[int] = (0,)) -> None:
        """Check that all outputs were finite.

        Args:
            finite: Whether the outputs ``judged`` were, for all samples, those of an earlier session included; shape
                (n,).

        Raises:
            InferenceError: Some were not; the message names the output and the numbers of samples.
        """
        if finite is not None:
            self._samples = len(finite)
            bad = int((~finite).sum())
            if len(judged) == 1:
                self._bad[judged[0]] = bad
            elif bad and not any(self._bad):
                # Found in an earlier session, which did not keep of which output.
                raise self._refusal("One of the outputs", bad)
        for spec, bad in zip(self._specs, self._bad, strict=True):
            if bad:
                raise self._refusal(f"Output {spec.name!r}", bad)

    def _refusal(self, which: str, bad: int) -> InferenceError:
        return InferenceError(
            f"{which} of the network is inf or NaN in {bad:,} of {self._samples:,} samples: nothing can be judged by "
            "it.",
            "Look at its inputs' range and at its weights: values overflow on the way, or were no numbers before.",
        )
