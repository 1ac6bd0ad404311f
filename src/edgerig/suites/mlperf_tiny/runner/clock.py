"""The device's clock held against the host's, by windows that both saw."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from edgerig.suites.mlperf_tiny.runner.records import WindowRecord

#: Largest drift that is not told: above it a throughput is not to be believed.
LARGEST_DRIFT = 0.01
#: Seconds by which the arrival of two lines may be off each other: a USB bridge collects bytes for up to 16 ms.
JITTER_SECONDS = 0.02


class ClockCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What two clocks say of the same windows.

    Attributes:
        drift: ``device / host - 1``, the median over windows; None where it is not known.
        windows: How many could be compared.
        problem: What is wrong, in a sentence; empty where nothing is.
        note: Why there is no drift; empty where there is one.
    """

    drift: float | None = None
    windows: int = 0
    problem: str = ""
    note: str = ""


def check_clock(windows: Sequence[WindowRecord], *, real_time: bool) -> ClockCheck:
    """Compare the clocks over ``windows``.

    Both timestamps are lines of about the same length, so that what the line takes drops out of the difference of
    their arrivals. Where they came in one piece, the device printed them together, and the host knows only that the
    window was not longer than the whole command.

    Args:
        real_time: Whether a second on the device is one on the host.
    """
    if not real_time:
        return ClockCheck(note="the device is emulated: its seconds are not the host's")
    if not windows:
        return ClockCheck(note="no window was measured")
    # A few lines may come in one piece because the host was busy; a difference that is near 0 says the same.
    pairs = [
        (window.seconds, window.host_seconds)
        for window in windows
        if window.host_seconds is not None and not _came_together(window)
    ]
    if not pairs:
        return _by_trips(windows)
    drift = statistics.median(device / host - 1 for device, host in pairs)
    excess = statistics.median(abs(device - host) for device, host in pairs)
    problem = ""
    if abs(drift) > LARGEST_DRIFT and excess > JITTER_SECONDS:
        device, host = min(pairs, key=lambda pair: abs(pair[0] / pair[1] - 1 - drift))
        problem = (
            f"The device's clock runs {abs(drift):.1%} too {'fast' if drift > 0 else 'slow'}: it tells {device:.3f} s "
            f"where the host's tells {host:.3f} s. Does it count CPU time, or a wrong frequency?"
        )
    return ClockCheck(drift=drift, windows=len(pairs), problem=problem)


def _came_together(window: WindowRecord) -> bool:
    """Whether the host saw the two timestamps at one time, though the device tells a long window."""
    host = window.host_seconds or 0.0
    return host < JITTER_SECONDS < window.trip_seconds / 2 and window.seconds > 2 * JITTER_SECONDS


def _by_trips(windows: Sequence[WindowRecord]) -> ClockCheck:
    drift = statistics.median(window.seconds / window.trip_seconds - 1 for window in windows)
    if drift > LARGEST_DRIFT and statistics.median(w.seconds - w.trip_seconds for w in windows) > JITTER_SECONDS:
        window = windows[0]
        problem = (
            f"The device's clock runs too fast, by {drift:.1%} or more: it tells {window.seconds:.3f} s for a window "
            f"in a command that took {window.trip_seconds:.3f} s."
        )
        return ClockCheck(drift=drift, windows=len(windows), problem=problem)
    return ClockCheck(note="the device sends both timestamps of a window together: a slow clock would not be seen")
