"""Devices that make the known mistakes with their windows, on purpose, and what the runner says of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.heard import Heard
from tests.suites.mlperf_tiny.runner.scripted import ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import by_first_byte, settings, write_keywords

from edgerig.measure.kinds import Measurement
from edgerig.suites.mlperf_tiny.runner.records import ProbeRecord, WindowRecord
from edgerig.suites.mlperf_tiny.runner.run import run_session
from edgerig.suites.mlperf_tiny.runner.window_mistakes import window_mistakes


class Mistaken(ScriptedDevice):
    """A device whose windows hold more than their inferences.

    Args:
        warm_up_inside: Whether it reads its clock before the warm-up.
        beside_us: Microseconds in each window that are no inferences.
    """

    def __init__(self, *, warm_up_inside: bool = False, beside_us: int = 0, us_per_inference: int = 10_000) -> None:
        super().__init__(results=by_first_byte, us_per_inference=us_per_inference)
        self.warm_up_inside, self.beside_us = warm_up_inside, beside_us

    def _lines(self, command: str) -> Iterator[str | float]:
        stamps = 0
        for line in super()._lines(command):
            if isinstance(line, str) and line.startswith("m-lap-us"):
                stamps += 1
                if stamps == 2:
                    more = int(command.split()[2]) * self.us_per_inference if self.warm_up_inside else 0
                    self.now += more + self.beside_us
                    line = f"m-lap-us-{self.now}"
            yield line


def problems(device: ScriptedDevice, tmp_path: Path, heard: Heard) -> list[str]:
    """Of a run; without those of the clock, since no time passes on a scripted device."""
    with device:
        data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
        summary = run_session(settings(device, data, out, mode="performance", window_seconds=0.5, warm_up=10), heard)
    assert isinstance(summary.throughput, Measurement)
    assert summary.throughput.warnings == summary.problems
    return [problem for problem in summary.problems if "clock runs" not in problem]


@pytest.mark.parametrize("us", [100, 10_000, 300_000])
def test_a_device_that_does_it_right_has_no_mistakes(tmp_path: Path, heard: Heard, us: int) -> None:
    assert problems(Mistaken(us_per_inference=us), tmp_path, heard) == []


@pytest.mark.parametrize("us", [100, 10_000, 300_000])
def test_a_warm_up_inside_the_window_is_named(tmp_path: Path, heard: Heard, us: int) -> None:
    (problem,) = problems(Mistaken(warm_up_inside=True, us_per_inference=us), tmp_path, heard)
    assert problem.startswith("The warm-up is inside the timed window")
    assert "Its first timestamp belongs behind m-warmup-done" in problem


def test_a_first_inference_inside_the_window_is_named(tmp_path: Path, heard: Heard) -> None:
    (problem,) = problems(Mistaken(beside_us=26_600_000, us_per_inference=20_000), tmp_path, heard)
    assert "Each window has 26.6 s that are no inferences, 99" in problem
    assert "A first inference, or the network's loading, is inside the timed window" in problem


def test_a_little_beside_the_inferences_is_no_mistake(tmp_path: Path, heard: Heard) -> None:
    """Reading a clock takes some microseconds."""
    assert problems(Mistaken(beside_us=50, us_per_inference=1000), tmp_path, heard) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_device_with_other_work_is_not_accused(tmp_path: Path, heard: Heard, seed: int) -> None:
    """Half of its runs take up to three times as long: a mistake would show in all of them."""
    rng = np.random.default_rng(seed)

    class Busy(Mistaken):
        def _lines(self, command: str) -> Iterator[str | float]:
            self.us_per_inference = int(10_000 * (1 + 2 * rng.random() * (rng.random() < 0.5)))
            return super()._lines(command)

    assert problems(Busy(), tmp_path, heard) == []


def test_jitter_of_a_slow_device_is_no_mistake() -> None:
    window = WindowRecord(
        index=0, file="a", label=0, iterations=3, warm_up=10, seconds=15.0, host_seconds=15.0, trip_seconds=65.0,
        outputs=(1.0,),
    )  # fmt: skip
    assert window_mistakes(ProbeRecord(iterations=1, plain=5.0, warmed=5.9, doubled=8.4), [window]) == []
    # A busy system, on which whoever computes for long is interrupted more.
    assert window_mistakes(ProbeRecord(iterations=283, plain=0.0065, warmed=0.0105, doubled=0.017), [window]) == []


@pytest.mark.slow
def test_cpu_time_as_timestamp_is_named(tmp_path: Path, heard: Heard) -> None:
    """A device that waits for an accelerator most of the time, and reads the time of its processor."""

    class CpuTime(ScriptedDevice):
        def _timestamp(self) -> int:
            return time.process_time_ns() // 1000

        def _lines(self, command: str) -> Iterator[str | float]:
            for line in super()._lines(command):
                yield line
                if isinstance(line, str) and line.startswith("m-lap-us") and command.startswith("infer"):
                    _sleep_mostly(int(command.split()[1]))

    with CpuTime(results=by_first_byte) as device:
        data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
        summary = run_session(settings(device, data, out, mode="performance", window_seconds=0.05), heard)
    problem = next(problem for problem in summary.problems if "CPU time" in problem)
    assert "too slow" in problem


def _sleep_mostly(iterations: int) -> None:
    """Wait for an accelerator, as it were, a millisecond an inference, and compute a third of that."""
    for _ in range(min(iterations, 400)):
        time.sleep(0.001)
        end = time.thread_time_ns() + 300_000
        while time.thread_time_ns() < end:
            pass
