"""JLS files that the maker's own library wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.power.meters import joules_between, power

from edgerig.errors import AnswerError, StorageError
from edgerig.plugins import make
from edgerig.power.base import PowerMonitor
from edgerig.power.recording import Recording
from edgerig.testing.contracts.power_monitor import PowerMonitorContract

pyjls = pytest.importorskip("pyjls")

RATE = 100_000
FALLS = (0.3004, 0.8107)


def write(path: Path, signals: tuple[str, ...], *, rate: int = RATE, offset: int = 0, hole: bool = False) -> Path:
    """Twelve hundred milliseconds at 3 V, longer than what is read at once where the rate is high."""
    times = (offset + np.arange(round(1.2 * rate)) + 0.5) / rate
    values = {"power": power(times), "voltage": np.full(len(times), 3.0), "current": power(times) / 3}
    if hole:
        values["power"][len(times) // 2 : len(times) // 2 + 100] = np.nan
    low = np.zeros(len(times), bool)
    for fall in FALLS:
        low |= (times >= fall) & (times < fall + 0.002)
    with pyjls.Writer(str(path)) as writer:
        writer.source_def(1, name="JS220", vendor="Jetperch", model="JS220", version="1", serial_number="1")
        for number, name in enumerate(signals, 1):
            digital = name.startswith("gpi")
            kind = pyjls.DataType.U1 if digital else pyjls.DataType.F32
            writer.signal_def(number, source_id=1, sample_rate=rate, name=name, units="", data_type=kind)
            data = np.packbits(~low, bitorder="little") if digital else values[name].astype(np.float32)
            writer.fsr(number, offset, data)
    return path


def read(path: Path, **options: object) -> Recording:
    with make("power-monitor", "joulescope", PowerMonitor, {"file": str(path), **options}) as monitor:
        monitor.start()
        return monitor.stop()


class TestJoulescope(PowerMonitorContract):
    @pytest.fixture
    def monitor(self, tmp_path: Path) -> PowerMonitor:
        path = write(tmp_path / "session.jls", ("power", "gpi[0]"))
        return make("power-monitor", "joulescope", PowerMonitor, {"file": str(path)})

    @pytest.fixture
    def work(self) -> Callable[[], float]:
        return lambda: joules_between(*FALLS)


def test_current_times_voltage_is_power(tmp_path: Path) -> None:
    energy = read(write(tmp_path / "a.jls", ("current", "voltage", "gpi[2]")), input=2).last_window()
    assert energy.joules == pytest.approx(joules_between(*FALLS), rel=1e-3)
    assert energy.seconds == pytest.approx(FALLS[1] - FALLS[0], abs=2 / RATE)


def test_marks_are_seen_where_the_file_is_read_in_parts(tmp_path: Path) -> None:
    recording = read(write(tmp_path / "a.jls", ("power", "gpi[0]"), rate=2_000_000))
    assert recording.marks == pytest.approx(FALLS, abs=1e-6)
    assert recording.interval == pytest.approx(1e-4)
    assert recording.last_window().joules == pytest.approx(joules_between(*FALLS), rel=1e-4)


def test_a_file_without_the_pin_has_no_marks(tmp_path: Path) -> None:
    recording = read(write(tmp_path / "a.jls", ("power", "gpi[0]")), input=3)
    with pytest.raises(AnswerError, match="0 falling edges"):
        recording.last_window()


def test_samples_that_the_instrument_lost_are_told(tmp_path: Path) -> None:
    with pytest.raises(AnswerError, match="power that is not a finite number"):
        read(write(tmp_path / "a.jls", ("power", "gpi[0]"), hole=True))


def test_files_that_are_no_recording_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no file"):
        read(tmp_path / "absent.jls")
    (tmp_path / "text.jls").write_text("time,watts\n" * 100)
    with pytest.raises(AnswerError, match="cannot be read as a JLS file"):
        read(tmp_path / "text.jls")
    with pytest.raises(AnswerError, match="no signal current, but gpi"):
        read(write(tmp_path / "voltage.jls", ("voltage", "gpi[0]")))
