"""Signal and noise of one tensor, summed over samples."""

from __future__ import annotations

import math
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from edgerig.measure.kinds import Measurement, Quantity, Unavailable


class ErrorSums:
    """Sums over samples from which SQNR and largest error follow.

    >>> sums = ErrorSums()
    >>> sums.add(np.array([1.0, 0.0]), np.array([1.1, 0.0]))
    >>> sums.add(np.array([0.0, 1.0]), np.array([0.0, 1.1]))
    >>> sqnr, largest = sums.figures("by hand")
    >>> f"{sqnr.value:.1f} {sqnr.unit}, {largest.value:.1f}"
    '20.0 dB, 0.1'
    """

    def __init__(self) -> None:
        self.signal = self.noise = self.largest = 0.0
        self.samples = 0
        self.finite = True
        self._first: bytes | None = None
        self._varies = False

    def add(self, reference: NDArray[np.float64], actual: NDArray[np.float64]) -> None:
        """Take in one sample: the float network's values and the deployed network's, of one shape."""
        difference = actual - reference
        self.finite &= bool(np.isfinite(difference).all())
        if not self.finite:
            return
        self.signal += float(np.sum(np.square(reference)))
        self.noise += float(np.sum(np.square(difference)))
        self.largest = max(self.largest, float(np.abs(difference).max(initial=0.0)))
        self.samples += 1
        if not self._varies:
            digest = blake2b(np.ascontiguousarray(reference).tobytes()).digest()
            self._first = self._first or digest
            self._varies = digest != self._first

    def figures(self, method: str) -> tuple[Quantity, Quantity]:
        """SQNR in dB and the largest absolute error, or why there are none."""
        if not self.finite:
            reason = Unavailable("one of the two networks gives NaN or infinity here")
            return reason, reason
        if not self.samples:
            reason = Unavailable("no sample was run")
            return reason, reason
        largest = Measurement(value=self.largest, unit="", kind="measured", method=method, n=self.samples)
        return self._sqnr(method), largest

    def _sqnr(self, method: str) -> Quantity:
        # Any constant would agree with it: that the deployed network does says nothing.
        if self.samples > 1 and not self._varies:
            return Unavailable(
                f"no evidence: the float network gives the same here for all {self.samples} samples, whatever goes in"
            )
        if self.noise == 0:
            return Unavailable("no value differs, so that the ratio has no bound")
        if self.signal == 0:
            return Unavailable("the float network gives zeros only")
        ratio = 10 * math.log10(self.signal / self.noise)
        return Measurement(value=ratio, unit="dB", kind="measured", method=method, n=self.samples)
