"""What a power monitor recorded, and the energy between two moments of it with its uncertainty.

Energy is the trapezoidal rule's integral of power over time. Its uncertainty follows from the sample rate alone: how
far the power may have gone between two samples, and how well a mark's time is known among them. It is a bound and no
interval of some confidence: a window has two ends, and the two errors of known limits do not average out, so that a
standard uncertainty times two (JCGM 100:2008, 6.3.3) is exceeded by every thirtieth window. The instrument's
calibration, which the maker states in percent, and the digits that it rounds to come on top; so does power that swings
faster than an instrument samples which takes moments and not means.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.errors import AnswerError
from edgerig.measure.kinds import Measurement

#: Samples further apart than this many usual intervals are a gap, in which nobody knows what was drawn.
GAP = 10.0


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """Energy over a stretch of time.

    Attributes:
        joules: Energy in J.
        uncertainty: J by which the true energy differs from that at most, as far as the sample rate tells.
        seconds: Length of the stretch.
        samples: Samples of power in it.
    """

    joules: float
    uncertainty: float
    seconds: float
    samples: int

    @property
    def watts(self) -> float:
        """Mean power."""
        return self.joules / self.seconds

    def per(self, inferences: int) -> Measurement:
        """Joules of one of ``inferences`` that filled the stretch: energy / inferences, with the bounds that the
        uncertainty gives.

        >>> Energy(joules=2.0, uncertainty=0.1, seconds=10.0, samples=10_000).per(1000).value
        0.002

        Raises:
            ValueError: There was no inference.
        """
        if inferences < 1:
            raise ValueError("energy per inference needs at least one inference")
        return Measurement(
            value=self.joules / inferences,
            unit="J",
            kind="measured",
            method=(
                f"trapezoidal rule over {self.samples} samples of power in {self.seconds:.6g} s / {inferences} "
                "inferences; bounds: largest error, from the sample rate, the instrument's calibration not included"
            ),
            n=self.samples,
            low=(self.joules - self.uncertainty) / inferences,
            high=(self.joules + self.uncertainty) / inferences,
        )


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of power and marks on one clock, checked by `recording`.

    Attributes:
        times: Seconds, shape (n,), increasing, float64.
        watts: Power, shape (n,), float64.
        marks: Seconds at which a pin fell, shape (m,), in order, float64.
        mark_error: Seconds by which a mark may be off to either side.
        averaged: Whether each sample is the mean power since the one before it, so that the integral over whole
            periods is exact; else it is the power at its moment.
    """

    times: NDArray[np.float64]
    watts: NDArray[np.float64]
    marks: NDArray[np.float64]
    mark_error: float = 0.0
    averaged: bool = False

    @property
    def interval(self) -> float:
        """The usual time from one sample to the next in seconds: the median."""
        return float(np.median(np.diff(self.times)))

    def windows(self, count: int) -> list[tuple[float, float]]:
        """The last ``count`` windows between two marks each, in order: of one, from the last mark but one to the last.

        Raises:
            AnswerError: There are fewer marks.
        """
        if len(self.marks) < 2 * count:
            raise AnswerError(
                f"The power monitor saw {len(self.marks)} falling edges, {2 * count} are needed: two a window.",
                "Is the device's timestamp pin wired to the monitor's event input, and is the device in energy mode?",
            )
        marks = [float(mark) for mark in self.marks[len(self.marks) - 2 * count :]]
        return list(zip(marks[::2], marks[1::2], strict=True))

    def last_window(self) -> Energy:
        """Energy between the last two marks.

        Raises:
            AnswerError: There are fewer than two, or no samples around them.
        """
        ((start, end),) = self.windows(1)
        return self.energy(start, end)

    def energy(self, start: float, end: float) -> Energy:
        """Energy from ``start`` to ``end``, in seconds on the recording's clock.

        Raises:
            AnswerError: The samples do not reach so far, or have a gap there, or the energy is not above 0.
        """
        edges, means = self._pieces()
        if not (end > start and edges[0] <= start and end <= edges[-1]):
            raise AnswerError(
                f"The power monitor's samples reach from {edges[0]:.6g} s to {edges[-1]:.6g} s, the window from "
                f"{start:.6g} s to {end:.6g} s: its energy is not known.",
                "Begin the recording before the first mark, and end it after the last.",
            )
        self._check_gaps(start, end)
        knots = np.concatenate([[0.0], np.cumsum(means * np.diff(edges))])
        joules = self._until(end, edges, knots) - self._until(start, edges, knots)
        if joules <= 0:
            raise AnswerError(
                f"The energy between two marks is {joules:.3g} J: a device draws more than nothing.",
                "Are the monitor's leads the right way around, and does it feed the device?",
            )
        ends = self._at(start, edges, knots) + self._at(end, edges, knots)
        return Energy(
            joules=joules,
            uncertainty=self._between_samples(start, end) + ends,
            seconds=end - start,
            samples=int(np.count_nonzero((self.times >= start) & (self.times <= end))),
        )

    def _pieces(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Edges (k + 1,) and the mean power (k,) between them."""
        if not self.averaged:
            return self.times, (self.watts[1:] + self.watts[:-1]) / 2
        first = self.times[0] - (self.times[1] - self.times[0])
        return np.concatenate([[first], self.times]), self.watts

    def _until(self, moment: float, edges: NDArray[np.float64], knots: NDArray[np.float64]) -> float:
        """Joules from the first edge to ``moment``."""
        index = min(max(int(np.searchsorted(edges, moment, "right")) - 1, 0), len(edges) - 2)
        span = moment - edges[index]
        if self.averaged:
            return float(knots[index] + span * self.watts[index])
        slope = (self.watts[index + 1] - self.watts[index]) / (edges[index + 1] - edges[index])
        return float(knots[index] + span * (self.watts[index] + slope * span / 2))

    def _between_samples(self, start: float, end: float) -> float:
        """Joules by which the integral between two known moments may be off. Power that goes one way from a sample to
        the next was at most that of either all the time, which differs from the straight line by half of
        abs(difference) * interval. A load that repeats in step with the sampling errs to the same side each time, so
        that these errors add up."""
        if self.averaged:
            return 0.0
        steps = np.diff(self.times)
        inside = (self.times[1:] > start) & (self.times[:-1] < end)
        return float(np.sum((np.abs(np.diff(self.watts)) * steps / 2)[inside]))

    def _at(self, moment: float, edges: NDArray[np.float64], knots: NDArray[np.float64]) -> float:
        """Joules by which the energy at one end of a window may be off.

        The true end lies within ``mark_error`` of ``moment``. Of samples that are moments, no more is drawn between
        the two than the highest power there * ``mark_error``. Of means, only the energy at edges of periods is known:
        from the last one before the earliest true end to the first one after the latest, the energy rises by an
        unknown way, so that it is off by at most all that lies before ``moment`` there, or after it.
        """
        touching = 1e-6 * self.interval + 4 * np.spacing(abs(moment))
        earliest, latest = moment - self.mark_error, moment + self.mark_error
        first = max(int(np.searchsorted(edges, earliest + touching, "right")) - 1, 0)
        last = min(int(np.searchsorted(edges, latest - touching, "left")), len(edges) - 1)
        if last <= first:
            return 0.0
        if not self.averaged:
            return float(np.abs(self.watts[first : last + 1]).max() * self.mark_error)
        here = self._until(moment, edges, knots)
        beyond = max(edges[0] - earliest, latest - edges[-1], 0.0) * float(np.abs(self.watts).max())
        return float(max(abs(here - knots[first]), abs(knots[last] - here)) + beyond)

    def _check_gaps(self, start: float, end: float) -> None:
        steps = np.diff(self.times)
        wide = (steps > GAP * self.interval) & (self.times[1:] > start) & (self.times[:-1] < end)
        if wide.any():
            index = int(np.argmax(wide))
            raise AnswerError(
                f"The power monitor gave no sample from {self.times[index]:.16g} s to {self.times[index + 1]:.16g} s, "
                f"where the usual interval is {self.interval:.3g} s: the energy of that time is not known.",
                "Measure again; a lower sample rate, or a line of its own, loses fewer samples.",
            )


def recording(
    times: ArrayLike,
    watts: ArrayLike,
    marks: Sequence[float] | NDArray[np.float64] = (),
    *,
    mark_error: float = 0.0,
    averaged: bool = False,
) -> Recording:
    """A recording out of what an instrument gave; ``times`` in s and ``watts`` in W, shape (n,), ``marks`` in s.

    Raises:
        AnswerError: There are fewer than two samples, one is not finite, or their times do not increase.
    """
    seconds, power = np.array(times, np.float64), np.array(watts, np.float64)
    edges = np.array(marks, np.float64)
    if seconds.ndim != 1 or seconds.shape != power.shape or edges.ndim != 1:
        raise AnswerError("The power monitor gave times and powers of different number.")
    if len(seconds) < 2:
        raise AnswerError(
            f"The power monitor gave {len(seconds)} samples: no energy comes of that.",
            "Is it the right port and format, and was it started?",
        )
    for name, values in (("time", seconds), ("power", power), ("mark", edges)):
        if not np.isfinite(values).all():
            raise AnswerError(f"The power monitor gave a {name} that is not a finite number.")
    steps = np.diff(seconds)
    if (steps <= 0).any():
        index = int(np.argmax(steps <= 0))
        raise AnswerError(
            f"The times of the power monitor's samples do not increase: {seconds[index + 1]:.16g} s after "
            f"{seconds[index]:.16g} s, in sample {index + 2:,}.",
            "Are times in seconds, with enough decimals?",
        )
    if (np.diff(edges) < 0).any():
        raise AnswerError("The marks of the power monitor are out of order.")
    return Recording(times=seconds, watts=power, marks=edges, mark_error=mark_error, averaged=averaged)
