"""Pauses in a measurement: a laptop that slept, a process that was stopped, a line that stood still."""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import ArrayLike

#: Seconds from which on a single inference may be a pause.
LONG_INFERENCE = 0.5
#: Seconds without an answer from a device, beyond its inferences, from which on there is a warning.
LONG_WAIT = 2.0
#: Seconds by which a time of day must be set to be told: less is a clock that is kept right.
JUMP = 5.0
#: Times the median above which it is one.
TIMES = 20.0


def paused_inferences(seconds: ArrayLike) -> str | None:
    """The warning about inferences, shape (n,), that took so long that the device cannot have been running.

    Returns:
        A sentence with how many and how long, or None.
    """
    x = np.asarray(seconds, np.float64).ravel()
    if x.size < 2:
        return None
    median = float(np.median(x))
    long = x[(x >= LONG_INFERENCE) & (x > TIMES * median)]
    if not long.size:
        return None
    count = f"1 of {x.size:,} inferences" if long.size == 1 else f"{long.size:,} of {x.size:,} inferences"
    factor = long.max() / max(median, 1e-9)
    return (
        f"{count} took up to {long.max():.1f} s, {factor:,.0f} times the median: the device slept or its program was "
        "stopped meanwhile. Median and percentiles hardly feel it; the mean does."
    )


def waited(seconds: float) -> str | None:
    """The warning about a wait of so many seconds for a device, beyond its inferences."""
    if seconds < LONG_WAIT:
        return None
    return (
        f"For {seconds:.1f} s nothing came from the device, beside its inferences: the device, the line or this "
        "program stood still meanwhile."
    )


class SleepWatch:
    """Tells how long this machine slept since the watch was made, by the clock that goes on meanwhile."""

    def __init__(self) -> None:
        self._start = _asleep()

    def slept(self) -> str | None:
        """A sentence about it; None if it did not sleep, or if that is not known."""
        seconds = _asleep() - self._start
        return f"This machine slept for {seconds:.0f} s in the middle of the measurement." if seconds >= 1 else None


class WallClock:
    """Tells when the time of day was set meanwhile, which durations do not feel."""

    def __init__(self) -> None:
        self._offset = _wall_offset()

    def jumped(self) -> str | None:
        """A sentence about a jump since the last call; None if there was none worth a word."""
        before, self._offset = self._offset, _wall_offset()
        seconds = self._offset - before
        if abs(seconds) < JUMP:
            return None
        where = "forward" if seconds > 0 else "back"
        return (
            f"This machine's time of day was set {abs(seconds):,.0f} s {where} meanwhile: times of day in the results "
            "do not fit together, durations are not touched."
        )


def _wall_offset() -> float:
    """Seconds that the time of day is ahead of a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic())


def _asleep() -> float:
    """Seconds that this machine has slept since its start."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
