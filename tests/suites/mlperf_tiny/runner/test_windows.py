"""Performance mode: windows, their number of inferences, and the device's clock."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.heard import Heard
from tests.suites.mlperf_tiny.runner.scripted import Piece, ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import by_first_byte, official, settings, unofficial, write_keywords

from edgerig.measure.kinds import Measurement
from edgerig.suites.mlperf_tiny.runner.clock import check_clock
from edgerig.suites.mlperf_tiny.runner.records import WindowRecord
from edgerig.suites.mlperf_tiny.runner.results import results_text
from edgerig.suites.mlperf_tiny.runner.run import run_session


def test_the_windows_are_long_enough_and_their_median_is_the_score(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
    with ScriptedDevice(results=by_first_byte, us_per_inference=5000) as scripted:
        summary = run_session(settings(scripted, data, out, mode="performance", window_seconds=0.2, warm_up=2), heard)
    assert isinstance(summary.throughput, Measurement)
    assert summary.throughput.value == pytest.approx(200)
    assert isinstance(summary.latency, Measurement)
    assert summary.latency.value == pytest.approx(0.005)
    assert len(summary.windows) == 5
    assert [window.file for window in summary.windows] == [f"tst_{index:06}.bin" for index in range(5)]
    assert all(window.seconds >= 0.2 for window in summary.windows)
    assert scripted.commands.count(f"infer {summary.windows[0].iterations} 2") == 5
    # A trial's result must not look like one that counts.
    assert not summary.by_the_rules
    assert "Median throughput is" not in (out / "results.txt").read_text()


def test_the_first_inference_is_told_apart(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"

    def slow_first(command: str) -> Sequence[Piece] | None:
        scripted.us_per_inference = (
            900_000 if command == "infer 1 0" and command not in scripted.commands[:-1] else 2000
        )
        return None

    with ScriptedDevice(results=by_first_byte, answers=slow_first) as scripted:
        summary = run_session(settings(scripted, data, out, mode="performance", window_seconds=0.5), heard)
    assert isinstance(summary.cold_start, Measurement)
    assert summary.cold_start.value == pytest.approx(0.9)
    assert isinstance(summary.latency, Measurement)
    assert summary.latency.value == pytest.approx(0.002)


def test_a_window_that_was_too_short_is_measured_again(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"

    def faster_later(command: str) -> Sequence[Piece] | None:
        # Twice as fast once the windows begin: the number of inferences that the trial gave is half of what it takes.
        scripted.us_per_inference = 1000 if command.endswith(" 3") else 2000
        return None

    with ScriptedDevice(results=by_first_byte, answers=faster_later) as scripted:
        summary = run_session(settings(scripted, data, out, mode="performance", window_seconds=1.0, warm_up=3), heard)
    assert all(window.seconds >= 1.0 for window in summary.windows)
    assert isinstance(summary.throughput, Measurement)
    assert summary.throughput.value == pytest.approx(1000)


def test_windows_by_the_rules_are_a_result(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
    with ScriptedDevice(results=by_first_byte, us_per_inference=12_345) as scripted:
        summary = run_session(settings(scripted, data, out, mode="performance"), heard)
    assert all(window.seconds >= 10 for window in summary.windows)
    # Its clock says 10 s where no time passed: the checker must not take that for a result.
    assert "too fast" in summary.problems[0]
    assert unofficial(out, "throughput") == pytest.approx(1e6 / 12_345, abs=1e-3)
    trusted = msgspec.structs.replace(summary, problems=())
    (out / "results.txt").write_text(results_text(trusted, datetime(2026, 1, 2, 3, 4, 5)))
    assert official(out, "throughput") == pytest.approx(1e6 / 12_345, abs=1e-3)


@pytest.mark.parametrize("reason", ["The board is emulated.", "The official set has 1,000 files, and 12 were run."])
def test_what_is_no_result_is_never_written_in_the_words_of_the_checker(
    tmp_path: Path, heard: Heard, reason: str
) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    with ScriptedDevice(results=by_first_byte) as scripted:
        summary = run_session(settings(scripted, data, out), heard)
    whole = msgspec.structs.replace(summary, invalid=(), by_the_rules=True)
    for invalid, reads in ((), official), ((reason,), unofficial):
        shown = msgspec.structs.replace(whole, invalid=invalid, by_the_rules=not invalid)
        (out / "results.txt").write_text(results_text(shown, datetime(2026, 1, 2, 3, 4, 5)))
        assert reads(out, "top1") == pytest.approx(100 * 10 / 12, abs=1e-3)
        assert 0.5 < reads(out, "auc") <= 1


@pytest.mark.parametrize(("factor", "word"), [(0.8, "slow"), (1.25, "fast")])
def test_a_clock_that_drifts_is_told(tmp_path: Path, heard: Heard, factor: float, word: str) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"

    class Drifting(ScriptedDevice):
        def _lines(self, command: str) -> Any:
            for line in super()._lines(command):
                yield line / factor if isinstance(line, float) else line

    with Drifting(results=by_first_byte, us_per_inference=10_000, real=True) as scripted:
        summary = run_session(settings(scripted, data, out, mode="performance", window_seconds=0.4), heard)
    assert summary.clock is not None
    assert summary.clock.drift is not None
    assert (summary.clock.drift > 0) == (factor > 1)
    assert f"too {word}" in summary.problems[0]
    assert f"too {word}" in (out / "edgerig" / "report.html").read_text()


def test_a_clock_of_32_bits_goes_round(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
    device = ScriptedDevice(results=by_first_byte, us_per_inference=10_000, clock=2**32 - 600_000, bits=32)
    with device as scripted:
        summary = run_session(settings(scripted, data, out, mode="performance", window_seconds=0.3), heard)
    assert scripted.now > 2**32
    assert all(window.throughput == pytest.approx(100) for window in summary.windows)


def window(seconds: float, host: float | None, trip: float) -> WindowRecord:
    return WindowRecord(
        index=0,
        file="a.bin",
        label=0,
        iterations=100,
        warm_up=10,
        seconds=seconds,
        host_seconds=host,
        trip_seconds=trip,
        outputs=(1.0,),
    )


def test_clocks_that_agree_are_told_so_within_a_percent_and_the_jitter_of_a_line() -> None:
    agreeing = check_clock(
        [window(10.0, 10.05, 11.0), window(10.0, 9.98, 11.0), window(10.0, 10.01, 11)], real_time=True
    )
    assert agreeing.problem == ""
    assert agreeing.drift == pytest.approx(-0.001, abs=1e-4)
    short = check_clock([window(0.1, 0.115, 0.2)], real_time=True)
    assert short.problem == ""
    assert "1.5% too slow" in check_clock([window(9.85, 10.0, 11.0)], real_time=True).problem


def test_timestamps_that_come_together_tell_a_clock_that_is_too_fast_and_no_other() -> None:
    for host in (None, 0.001):
        together = check_clock([window(10.0, host, 10.2)], real_time=True)
        assert (together.problem, together.drift) == ("", None)
        assert "together" in together.note
        assert "too fast" in check_clock([window(12.0, host, 10.2)], real_time=True).problem


def test_an_emulated_clock_is_not_compared() -> None:
    check = check_clock([window(10.0, 60.0, 66.0)], real_time=False)
    assert check.problem == ""
    assert "emulated" in check.note
