import itertools
from collections.abc import Callable

import pytest

from edgerig.measure.clocks import inference_clock, measure_clock, resolution_seconds


def ticking(tick: float, steps: list[int]) -> Callable[[], int]:
    """A clock that advances by ``steps`` ticks in turn and tells whole nanoseconds."""
    now = 0
    turns = itertools.cycle(steps)

    def read() -> int:
        nonlocal now
        now += next(turns)
        return int(now * tick)

    return read


@pytest.mark.parametrize(
    ("tick", "steps", "resolution"),
    [
        (1000, [0, 0, 1], 1000),
        (1_000_000, [1, 2, 1], 1_000_000),
        (1000 / 54, [2, 3, 3, 4], 18),
        (1, [40, 41, 42, 43, 44, 45, 60], 1),
        (15_600_000, [0] * 9 + [1], 15_600_000),
    ],
)
def test_the_tick_of_a_clock_is_found(tick: float, steps: list[int], resolution: int) -> None:
    assert measure_clock(ticking(tick, steps)).resolution_ns == resolution


def test_the_overhead_is_the_median_step() -> None:
    assert measure_clock(ticking(1, [40, 50, 900])).overhead_ns == 50


def test_a_clock_that_stands_still_has_no_resolution() -> None:
    assert measure_clock(lambda: 7).resolution_ns == 0


def test_the_inference_clock_is_measured_and_described() -> None:
    clock = inference_clock()
    assert clock.name == "perf_counter_ns"
    assert clock.source
    assert clock.overhead_ns > 0
    assert str(clock) == f"perf_counter_ns, {clock.resolution_ns} ns"
    assert resolution_seconds(str(clock)) == pytest.approx(clock.resolution_ns * 1e-9)
    assert inference_clock() is clock
