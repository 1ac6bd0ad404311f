"""Mistakes of devices that make a window longer or shorter than its inferences: found by windows of other sizes.

Of a device that keeps to the protocol, ``infer N W`` tells ``N`` times the time of an inference, whatever ``W`` is. One
that reads its clock before the warm-up tells ``N + W`` times it; one whose first inference, or loading, falls into the
window tells so much more each time. Three short runs tell these apart: ``infer n 0``, ``infer n n``, ``infer 2n 0``.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from edgerig.suites.mlperf_tiny.runner.records import ProbeRecord, WindowRecord

#: A probe's runs have this share of a window's inferences.
PROBE_SHARE = 0.025
#: Share of the warm-up that must be in the window for it to count as being there: it is there whole, or not at all.
_INSIDE = 0.5
#: Share of a window that may be no inferences without a word.
_BESIDE = 0.01


def probe_iterations(iterations: int) -> int:
    """``n`` of a probe beside windows of ``iterations``."""
    return max(1, round(PROBE_SHARE * iterations))


def window_mistakes(probe: ProbeRecord, windows: Sequence[WindowRecord]) -> list[str]:
    """What is wrong with a device's windows, in sentences; at least one window."""
    n = probe.iterations
    mistakes = []
    if probe.warmed - probe.plain > _INSIDE * probe.plain:
        window = windows[0]
        share = window.warm_up / (window.iterations + window.warm_up)
        mistakes.append(
            f"The warm-up is inside the timed window: 'infer {n} {n}' takes {probe.warmed:.4g} s by the device's "
            f"timestamps, 'infer {n} 0' {probe.plain:.4g} s. Its first timestamp belongs behind m-warmup-done; "
            f"{share:.1%} of each window here are warm-up."
        )
    beside = 2 * probe.plain - probe.doubled
    usual = statistics.median(window.seconds for window in windows)
    if beside > _INSIDE * probe.plain and beside > _BESIDE * usual:
        mistakes.append(
            f"Each window has {beside:.4g} s that are no inferences, {beside / usual:.1%} of it: 'infer {n} 0' takes "
            f"{probe.plain:.4g} s, 'infer {2 * n} 0' only {probe.doubled:.4g} s. A first inference, or the network's "
            "loading, is inside the timed window and in the mean."
        )
    return mistakes
