"""Mistakes of devices that make a window longer or shorter than its inferences: found by windows of other sizes.

Of a device that keeps to the protocol, ``infer N W`` tells ``N`` times the time of an inference, whatever ``W`` is. One
that reads its clock before the warm-up tells ``N + W`` times it; one whose first inference, or loading, falls into the
window tells so much more each time. Three short runs tell these apart: ``infer n 0``, ``infer n n``, ``infer 2n 0``.
Other work of a device makes a run longer, never shorter, and a mistake is made each time: where the three look like one
they are run again, and the shortest of each counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from edgerig.suites.mlperf_tiny.runner.records import ProbeRecord, WindowRecord

#: A probe's runs have this share of a window's inferences, or last so many seconds if that is more.
PROBE_SHARE, PROBE_SECONDS = 0.025, 0.1
#: Most times that a probe is run.
PROBES = 8
#: Share of the warm-up that must be in the window for it to count as being there: it is there whole, or not at all.
_INSIDE = 0.5
#: By what share of one run another may be shorter and still be as long.
_AS_LONG = 0.8
#: Share of a window that may be no inferences without a word.
_BESIDE = 0.01


def probe_iterations(iterations: int, window_seconds: float) -> int:
    """``n`` of a probe beside windows of ``iterations`` that last ``window_seconds``."""
    share = min(1.0, max(PROBE_SHARE, PROBE_SECONDS / window_seconds))
    return max(1, round(share * iterations))


def warm_up_inside(probe: ProbeRecord) -> bool:
    """Whether the device seems to read its clock before the warm-up: ``infer n n`` then is as much as ``infer 2n 0``,
    which is held against it, since a busy system makes longer work slower by more than its length."""
    return probe.warmed - probe.plain > _INSIDE * probe.plain and probe.warmed > _AS_LONG * probe.doubled


def seconds_beside(probe: ProbeRecord, window_seconds: float) -> float:
    """Seconds of each window that seem to be no inferences; 0 where they do not matter in so long a window."""
    beside = 2 * probe.plain - probe.doubled
    return beside if beside > _INSIDE * probe.plain and beside > _BESIDE * window_seconds else 0.0


def looks_mistaken(probe: ProbeRecord, window_seconds: float) -> bool:
    """Whether a probe looks like one of the mistakes."""
    return warm_up_inside(probe) or seconds_beside(probe, window_seconds) > 0


def window_mistakes(probe: ProbeRecord, windows: Sequence[WindowRecord]) -> list[str]:
    """What is wrong with a device's windows, in sentences; at least one window."""
    n = probe.iterations
    mistakes = []
    if warm_up_inside(probe):
        window = windows[0]
        share = window.warm_up / (window.iterations + window.warm_up)
        mistakes.append(
            f"The warm-up is inside the timed window: 'infer {n} {n}' takes {probe.warmed:.4g} s by the device's "
            f"timestamps, 'infer {n} 0' {probe.plain:.4g} s. Its first timestamp belongs behind m-warmup-done; "
            f"{share:.1%} of each window here are warm-up."
        )
    usual = statistics.median(window.seconds for window in windows)
    beside = seconds_beside(probe, usual)
    if beside:
        mistakes.append(
            f"Each window has {beside:.4g} s that are no inferences, {beside / usual:.1%} of it: 'infer {n} 0' takes "
            f"{probe.plain:.4g} s, 'infer {2 * n} 0' only {probe.doubled:.4g} s. A first inference, or the network's "
            "loading, is inside the timed window and in the mean."
        )
    return mistakes
