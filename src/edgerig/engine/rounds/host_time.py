"""The host's own time for each sample, before and after the device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerig.measure.pauses import LONG_WAIT, TIMES


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
