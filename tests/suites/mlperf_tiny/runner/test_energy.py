"""Energy mode: the device's pin, a simulated instrument on a pseudo-terminal, and the energy of an inference."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
from tests.heard import Heard
from tests.power.meters import RATE, SimulatedLpm01a, StreamMeter, joules_between
from tests.suites.mlperf_tiny.runner.scripted import ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import by_first_byte, official, settings, write_keywords

from edgerig.errors import AnswerError, SpecError, UnknownNameError
from edgerig.measure.kinds import Measurement
from edgerig.suites.mlperf_tiny.runner.run import run_session


class PinDevice(ScriptedDevice):
    """A device in energy mode: its timestamps are edges of a pin, and no lines.

    Args:
        work: What it does while it runs the inferences of an ``infer``, whose number it is given.
    """

    def __init__(self, work: Callable[[int], object], us_per_inference: int = 1000, *, real: bool = False) -> None:
        super().__init__(results=by_first_byte, us_per_inference=us_per_inference, real=real)
        self.work = work

    def _lines(self, command: str) -> Iterator[str | float]:
        if command.startswith("infer"):
            self.work(int(command.split()[1]))
        for line in super()._lines(command):
            if not (isinstance(line, str) and line.startswith("m-lap-us")):
                yield line


@pytest.mark.slow
def test_the_median_energy_of_an_inference_is_told_by_a_stream_of_samples(tmp_path: Path, heard: Heard) -> None:
    data, out, joules = write_keywords(tmp_path / "data", 12), tmp_path / "out", []
    with StreamMeter() as meter, PinDevice(lambda _: joules.append(meter.work())) as device:
        options = {"port": f"serial://{meter.terminal.name}"}
        summary = run_session(
            settings(
                device, data, out, mode="energy", window_seconds=0.29, power="stream", power_options=options, warm_up=4
            ),
            heard,
        )
    iterations = {window.iterations for window in summary.windows}
    assert len(summary.windows) == 5
    assert len(iterations) == 1
    wanted = median(joules[-5:]) / iterations.pop()
    assert isinstance(summary.energy, Measurement)
    assert summary.energy.value == pytest.approx(wanted, rel=0.02)
    assert all(window.seconds == pytest.approx(0.3004, abs=0.002) for window in summary.windows)
    assert device.commands.count(f"infer {summary.windows[0].iterations} 4") == 5
    assert "Median energy cost is" not in (out / "results.txt").read_text()


@pytest.mark.slow
def test_windows_by_the_rules_are_a_result_of_the_instrument_of_the_benchmark(tmp_path: Path, heard: Heard) -> None:
    data, out, joules = write_keywords(tmp_path / "data", 12), tmp_path / "out", []

    class Long(SimulatedLpm01a):
        def work(self, inferences: int = 1) -> float:
            with self._lock:
                start, end = self.clock + 0.1003, self.clock + 0.1007 + 0.35 * inferences
                self._falls += [start, end]
                self._sample(self.samples + round((end - self.clock + 0.15) * self.rate))
                return joules_between(start, end, self.power)

    with Long() as meter, PinDevice(lambda n: joules.append(meter.work(n))) as device:
        options = {"port": f"serial://{meter.terminal.name}"}
        summary = run_session(settings(device, data, out, mode="energy", power="lpm01a", power_options=options), heard)
        assert not meter.powered
    assert summary.by_the_rules
    (iterations,) = {window.iterations for window in summary.windows}
    assert official(out, "energy") == pytest.approx(1e6 * median(joules[-5:]) / iterations, rel=1e-3)


class RecordedDevice(PinDevice):
    """A device whose inferences take 50 ms, and a recorder beside it, whose file has the last windows.

    They are as long as they were: however late a busy machine ends a wait, the recorder sees it.
    """

    def __init__(self, recording: Path) -> None:
        super().__init__(lambda _: None)
        self.recording, self.lengths = recording, [0.0] * 5
        self._samples = list(StreamMeter().lines(20.0))

    def _lines(self, command: str) -> Iterator[str | float]:
        for line in super()._lines(command):
            yield line
            if isinstance(line, str) and line.startswith("m-infer-start-"):
                begin = time.monotonic()
                time.sleep(0.05 * int(line.rpartition("-")[2]))
                self.lengths = [*self.lengths[1:], time.monotonic() - begin]
            elif line == "m-infer-done":
                # At once: the host, in another thread, looks at its clock now.
                samples = self._samples.copy()
                for fall in (moment for span in self.spans() for moment in span):
                    first = math.ceil((fall - 100) * RATE) - 1
                    samples[first : first + 5] = [low.replace(",1\n", ",0\n") for low in samples[first : first + 5]]
                self.recording.write_text("".join(samples))

    def spans(self) -> list[tuple[float, float]]:
        """Where the windows begin and end in the recording, one a while after the other."""
        begins = [101.0 + sum(self.lengths[:number]) + number for number in range(5)]
        return [(begin + 0.0003, begin + 0.0003 + length) for begin, length in zip(begins, self.lengths, strict=True)]


def test_a_file_that_was_recorded_meanwhile_is_read_at_the_end(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    with RecordedDevice(tmp_path / "session.csv") as device:
        summary = run_session(
            settings(
                device,
                data,
                out,
                mode="energy",
                window_seconds=0.4,
                power="stream",
                power_options={"file": str(tmp_path / "session.csv")},
            ),
            heard,
        )
    assert [window.seconds for window in summary.windows] == pytest.approx(device.lengths, abs=0.002)
    energies = [joules_between(*span) for span in device.spans()]
    each = [energy / window.iterations for energy, window in zip(energies, summary.windows, strict=True)]
    assert isinstance(summary.energy, Measurement)
    assert summary.energy.value == pytest.approx(median(each), rel=0.1)
    # The file tells the windows' lengths; that of the first inference, before them, only the host saw.
    assert isinstance(summary.cold_start, Measurement)
    assert isinstance(summary.throughput, Measurement)
    assert (summary.cold_start.clock, summary.throughput.clock) == ("the host's clock", "power monitor")


def test_a_device_that_pulls_no_pin_is_refused_before_its_windows_are_run(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    options = {"file": str(tmp_path / "session.csv")}
    with ScriptedDevice(results=by_first_byte) as device, pytest.raises(AnswerError, match="it pulls no pin") as caught:
        run_session(settings(device, data, out, mode="energy", power="stream", power_options=options), heard)
    assert "m-timestamp-mode-energy" in str(caught.value.hint)
    assert [command for command in device.commands if command.startswith("infer")] == ["infer 1 0"]


def test_a_recording_of_another_session_is_refused(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    falls = tuple(101.0 + index * 0.5 for index in range(10))
    (tmp_path / "session.csv").write_text("".join(StreamMeter().lines(7.0, falls)))
    changes = {"power": "stream", "power_options": {"file": str(tmp_path / "session.csv")}, "window_seconds": 0.05}
    with (
        PinDevice(lambda _: None, 10_000, real=True) as device,
        pytest.raises(AnswerError, match=r"window of 0.500 s where the host saw 0\.[0-3]"),
    ):
        run_session(settings(device, data, out, mode="energy", **changes), heard)


def test_a_pin_that_is_not_wired_is_told(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    with StreamMeter() as meter, PinDevice(lambda _: None) as device:
        options = {"port": f"serial://{meter.terminal.name}"}
        with pytest.raises(AnswerError, match="saw 0 falling edges, 2 are needed"):
            run_session(settings(device, data, out, mode="energy", power="stream", power_options=options), heard)


def test_a_monitor_that_there_is_not_and_one_that_is_not_wanted(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    device = ScriptedDevice()
    with device, pytest.raises(UnknownNameError, match="lpm01a"):
        run_session(settings(device, data, out, mode="energy", power="lpm1a"), heard)
    with pytest.raises(SpecError, match="of no use in accuracy mode"):
        run_session(settings(device, data, out, power="stream"), heard)


@pytest.mark.parametrize("power", [None, "stream"])
def test_a_board_that_draws_no_current_has_no_energy(tmp_path: Path, heard: Heard, power: str | None) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    changes = {"address": "sim:stm32f746", "model": tmp_path / "none.tflite", "power": power}
    with pytest.raises(SpecError, match="sim:stm32f746 draws no current") as caught:
        run_session(settings(ScriptedDevice(), data, out, mode="energy", **changes), heard)
    assert "--mode performance" in str(caught.value.hint)
    assert not out.exists()


def test_a_device_in_energy_mode_gives_no_throughput(tmp_path: Path, heard: Heard) -> None:
    data, out = write_keywords(tmp_path / "data", 12), tmp_path / "out"
    with PinDevice(lambda _: None) as device, pytest.raises(AnswerError, match="has no line m-lap-us") as caught:
        run_session(settings(device, data, out, mode="performance"), heard)
    assert "energy mode" in str(caught.value.hint)
