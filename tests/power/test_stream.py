"""Streams of samples from terminals, TCP, programs and files."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.power.meters import StreamMeter, Terminal, joules_between

from edgerig.errors import AnswerError, EdgerigError, SpecError, StorageError, TargetError
from edgerig.plugins import make
from edgerig.power.base import PowerMonitor
from edgerig.power.recording import Recording
from edgerig.power.samples import SampleLines
from edgerig.power.stream import Stream, StreamSettings, read_csv
from edgerig.testing.contracts.power_monitor import PowerMonitorContract


@pytest.fixture
def meter() -> Iterator[StreamMeter]:
    with StreamMeter() as meter:
        yield meter


class TestSerialStream(PowerMonitorContract):
    @pytest.fixture
    def monitor(self, meter: StreamMeter) -> PowerMonitor:
        return Stream(StreamSettings(port=f"serial://{meter.terminal.name}"))

    @pytest.fixture
    def work(self, meter: StreamMeter) -> Callable[[], float]:
        return meter.work


class TestFile(PowerMonitorContract):
    @pytest.fixture
    def monitor(self, tmp_path: Path) -> PowerMonitor:
        meter, falls = StreamMeter(), (100.1203, 100.4207)
        (tmp_path / "session.csv").write_text("time,watts,pin\n" + "".join(meter.lines(0.5, falls)))
        return Stream(StreamSettings(file=str(tmp_path / "session.csv")))

    @pytest.fixture
    def work(self) -> Callable[[], float]:
        return lambda: joules_between(100.1203, 100.4207)


def record(monitor: PowerMonitor) -> Recording:
    with monitor:
        monitor.start()
        return monitor.stop()


def program(text: str) -> str:
    return f"{sys.executable} -c '{text}'"


def test_a_program_that_prints_samples_is_a_monitor() -> None:
    text = (
        'import time\nprint("time,watts,pin", flush=True)\n'
        "for k in range(100000):\n"
        '  print(f"{k/100},{1 + (k % 2)},{int(k % 20 > 1)}", flush=True); time.sleep(.001)'
    )
    with Stream(StreamSettings(command=program(text), settle=0.3)) as monitor:
        monitor.start()
        recording = monitor.stop()
    energy = recording.last_window()
    assert energy.seconds == pytest.approx(0.2)
    assert abs(energy.joules - 0.3) <= energy.uncertainty


def test_a_program_that_ends_is_named_with_its_last_words() -> None:
    text = 'import sys\nprint("0,1"); print("1,1")\nsys.exit("the sensor overheated")'
    with pytest.raises(TargetError) as caught:
        record(Stream(StreamSettings(command=program(text))))
    assert "exit code 1, the sensor overheated" in str(caught.value)


def test_samples_over_tcp() -> None:
    started = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                lines = [f"{k / 100:.3f},2.5,{int(k % 50 > 1)}\n" for k in range(400)]
                connection.sendall(b".8,1\n" + "".join(lines[:10]).encode())
                started.wait(10)
                connection.sendall("".join(lines[10:]).encode())
                connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        port = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with make("power-monitor", "stream", PowerMonitor, {"port": port, "settle": 0.5}) as monitor:
            monitor.start()
            started.set()
            energy = monitor.stop().last_window()
        thread.join()
    assert energy.joules == pytest.approx(2.5 * 0.5)


@pytest.mark.parametrize(
    "line", ["7,high,1", "7", "7,1,1,1", "7,nan,1", "7,1,2", "time,watts,pin", "\\x80\\xff", "x" * 3000]
)
def test_a_line_that_is_no_sample_is_named(meter: StreamMeter, line: str) -> None:
    with Stream(StreamSettings(port=f"serial://{meter.terminal.name}")) as monitor:
        monitor.start()
        meter.say(line.encode().decode("unicode_escape").encode("latin1"))
        meter.work()
        with pytest.raises(AnswerError) as caught:
            monitor.stop()
    assert "is no sample" in str(caught.value) or "no line of text" in str(caught.value)


def test_a_stream_without_a_pin_has_no_marks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# a meter\n\n0,1\n1,1\n2,1\n")
    with Stream(StreamSettings(file=str(tmp_path / "a.csv"))) as monitor:
        monitor.start()
        recording = monitor.stop()
    assert recording.energy(0.5, 1.5).joules == pytest.approx(1.0)
    with pytest.raises(AnswerError, match="0 falling edges") as caught:
        recording.last_window()
    assert "wired" in str(caught.value)


def test_a_silent_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("edgerig.power.stream._FIRST_SECONDS", 0.2)
    with pytest.raises(TargetError, match=r"No sample came from serial:.* in 0.2 s"):
        Stream(StreamSettings(port=f"serial://{terminal.name}")).open()
    terminal.close()


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    cases: list[tuple[dict[str, str], type[EdgerigError], str]] = [
        ({"port": f"tcp://127.0.0.1:{port}"}, TargetError, "Cannot connect"),
        ({"port": "tcp://nowhere"}, SpecError, "where to connect"),
        ({"port": "/dev/ttyUSB0"}, SpecError, "not the address of a serial port"),
        ({"port": "serial:///dev/tty-that-is-not"}, TargetError, "no serial port"),
        ({"command": "no-such-program --now"}, TargetError, "Cannot start"),
        ({"file": str(tmp_path / "no.csv")}, StorageError, "Cannot read"),
        ({}, SpecError, "one of 'port', 'command' and 'file'"),
        ({"port": "tcp://a:1", "file": "x"}, SpecError, "one of 'port', 'command' and 'file'"),
    ]
    for options, error, words in cases:
        with pytest.raises(error, match=words):
            record(make("power-monitor", "stream", PowerMonitor, options))


@pytest.mark.parametrize(
    "names",
    [
        "Time (s),Power (mW)",
        "timestamp_ms,power",
        "time_us,watts",
        "Time (min),Power (W)",
        "t,current",
        "time,mA",
        "watts,time",
        "time,energy_J",
    ],
)
def test_names_of_other_units_are_refused(names: str) -> None:
    """Milliwatts taken for watts are an energy a thousand times as large, which nothing else shows."""
    with pytest.raises(AnswerError, match="is none of seconds and watts"):
        SampleLines("meter").take(names)


@pytest.mark.parametrize("names", ["time,watts", "Time (s),Power (W)", "t,p", "timestamp,power_w,pin", "seconds,W,D7"])
def test_names_of_seconds_and_watts_are_passed_over(names: str) -> None:
    lines = SampleLines("meter")
    for line in (names, *(["0,1.5,1", "0.1,1.5,0"] if names.count(",") == 2 else ["0,1.5", "0.1,1.5"])):
        lines.take(line)
    assert len(lines) == 2


def test_a_decimal_comma_is_no_column_more() -> None:
    lines = SampleLines("meter")
    lines.take("time,watts")
    with pytest.raises(AnswerError, match="'0,05,1' is no sample"):
        lines.take("0,05,1")


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b"\xef\xbb\xbftime,watts\r\n0.0,1.5\r\n0.1,1.5\r\n0.2,1.5\r\n")
    assert len(read_csv(path).times) == 3
