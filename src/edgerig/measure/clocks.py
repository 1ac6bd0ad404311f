"""The clock that inferences are timed with: its name, its resolution, and what reading it costs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import msgspec


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """A clock, as measured on this machine.

    Attributes:
        name: How Python calls it.
        source: What the operating system reads for it.
        resolution_ns: The smallest step that two readings were ever apart, in nanoseconds.
        overhead_ns: The median time between two readings with nothing between them, in nanoseconds. It is inside
            every time that was measured, and is not taken off.
    """

    name: str
    source: str
    resolution_ns: int
    overhead_ns: int

    def __str__(self) -> str:
        return f"{self.name}, {self.resolution_ns} ns"


@cache
def inference_clock() -> Clock:
    """The clock of `edgerig.runtimes.base.Runtime.run`, measured once a process; takes about a millisecond."""
    info = time.get_clock_info("perf_counter")
    return measure_clock(time.perf_counter_ns, "perf_counter_ns", info.implementation)


def measure_clock(clock: Callable[[], int], name: str = "clock", source: str = "", readings: int = 4000) -> Clock:
    """Read ``clock``, which gives nanoseconds, ``readings`` times, and see how it moves.

    A clock that ticks more finely than it can be read shows its tick in how much the times between readings differ.
    """
    times = [clock() for _ in range(readings)]
    steps = [later - earlier for earlier, later in pairwise(times)]
    return Clock(
        name=name,
        source=source,
        resolution_ns=_tick(sorted({step for step in steps if step > 0})),
        overhead_ns=sorted(steps)[len(steps) // 2],
    )


def _tick(steps: list[int]) -> int:
    """The tick behind distinct steps, in ascending order; 0 if the clock stood still."""
    if len(steps) < 2:
        return steps[0] if steps else 0
    clusters = [[steps[0]]]
    for step in steps[1:]:
        # Ticks of 18.5 ns come as steps of 18 and 19: neighbours are one step, rounded twice.
        if step - clusters[-1][-1] <= 1:
            clusters[-1].append(step)
        else:
            clusters.append([step])
    if len(clusters) == 1 or any(len(cluster) > 3 for cluster in clusters):
        return 1
    return min(steps[0], *(later[0] - earlier[0] for earlier, later in pairwise(clusters)))


@cache
def resolution_seconds(clock: str) -> float | None:
    """The resolution in a clock's description (``"perf_counter_ns, 1 ns"``), in seconds; None if there is none."""
    match = re.search(r"(?<![\d.])(\d{1,9}(?:\.\d{1,9})?) (ns|us|ms|s)\b", clock)
    return float(match[1]) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[match[2]] if match else None
