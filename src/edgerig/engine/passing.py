"""Observations of the host while samples pass: its own time, and outputs that are not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError
from edgerig.measure.pauses import LONG_WAIT, TIMES

Array = NDArray[Any]


class HostTime:
    """Host time per sample, over portions of samples: the median, which a pause does not move.

    Args:
        what: What the host does in this time, for messages.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._seconds: list[float] = []
        self._counts: list[int] = []

    def add(self, seconds: float, count: int) -> None:
        """Add a portion of ``count`` samples that took ``seconds``."""
        self._seconds.append(seconds)
        self._counts.append(max(1, count))

    @property
    def samples(self) -> int:
        """Number of samples added."""
        return sum(self._counts)

    def median(self) -> float | None:
        """Seconds per sample; None without samples."""
        return float(np.median(self._each())) if self._seconds else None

    def pause(self) -> str | None:
        """A warning if this program was suspended during a portion."""
        if len(self._seconds) < 2:
            return None
        each, longest = self._each(), max(self._seconds)
        if longest < LONG_WAIT or each.max() <= TIMES * np.median(each):
            return None
        return f"This program stood still for up to {longest:.1f} s while {self.what}."

    def _each(self) -> NDArray[np.float64]:
        each: NDArray[np.float64] = np.array(self._seconds) / np.array(self._counts)
        return each


class Finite:
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
