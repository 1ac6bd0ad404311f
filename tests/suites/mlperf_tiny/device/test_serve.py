"""The device's program on real lines: pseudo-terminals, ports and sockets; hosts that leave; Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.suites.mlperf_tiny.device.host import Device, Host, device
from tests.suites.mlperf_tiny.device.test_console import ByteNetwork

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.suites.mlperf_tiny.device import pseudo_terminal
from edgerig.suites.mlperf_tiny.device.console import DeviceConsole
from edgerig.suites.mlperf_tiny.device.line import HostLine
from edgerig.suites.mlperf_tiny.device.serve import serve
from edgerig.testing import networks
from edgerig.testing.line import Line

KWS = BENCHMARKS["kws01"]
NAME = ["m-name-dut-[edgerig]", "m-ready"]


@pytest.fixture(scope="session")
def keyword_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float network that is one of keyword spotting by its input and outputs."""
    return networks.dense_tflite(tmp_path_factory.mktemp("kws") / "kws.tflite", (49, 10, 1), 12, gain=0.01)


@pytest.fixture(scope="session")
def terminal(keyword_net: Path) -> Iterator[Device]:
    """A device on a pseudo-terminal that several tests use, one host after another."""
    with device("--benchmark", "kws01", "--model", keyword_net, "--runtime", "litert") as process:
        yield process


def test_a_network_is_run_on_a_sample(terminal: Device) -> None:
    sample = np.random.default_rng(1).integers(-128, 128, 490).astype(np.int8)
    with Host(terminal.line) as host:
        assert host.ask("name") == NAME
        assert host.ask("profile")[1] == "m-model-[kws01]"
        assert host.load(sample.tobytes()) == ["m-load-done", "m-ready"]
        start = time.monotonic_ns()
        answer = host.ask("infer 3 2")
        seconds = (time.monotonic_ns() - start) * 1e-9
    assert answer[:3] == ["m-warmup-start-2", "m-warmup-done", "m-infer-start-3"]
    laps = [int(line.removeprefix("m-lap-us-")) for line in answer[3:5]]
    # The clock is that on the wall, in microseconds: what it shows lies within what the host has seen.
    assert 0 <= (laps[1] - laps[0]) * 1e-6 <= seconds
    weights, bias = networks.dense_weights(490, 12)
    logits = 0.01 * weights @ (KWS.scale * (sample.astype(float) - KWS.zero_point)) + bias
    shares = np.exp(logits - logits.max())
    results = [float(text) for text in answer[6].removeprefix("m-results-[").removesuffix("]").split(",")]
    np.testing.assert_allclose(results, shares / shares.sum(), atol=6e-4)
    assert answer[5::2] == ["m-infer-done", "m-ready"]


def test_time_is_that_on_the_wall(terminal: Device) -> None:
    """While the device sleeps, its CPU time stands still; its clock does not."""
    with Host(terminal.line) as host:
        first, begin = host.ask("timestamp")[0], time.monotonic()
        time.sleep(0.3)
        least = time.monotonic() - begin
        second = host.ask("timestamp")[0]
    assert int(second.removeprefix("m-lap-us-")) - int(first.removeprefix("m-lap-us-")) >= least * 1e6 * 0.99


def test_a_host_finds_no_boot_lines_that_it_would_take_for_its_answer(terminal: Device) -> None:
    with Host(terminal.line) as host:
        assert host.silent()
        assert host.ask("name") == NAME


def test_a_host_that_goes_in_the_middle_of_a_line_leaves_nothing_to_the_next(terminal: Device) -> None:
    with Host(terminal.line) as host:
        host.ask("db load 490")
        host.send("db 0102")
    # The line is free again once the device has seen that its host has gone.
    deadline = time.monotonic() + 20
    answer: list[str] = []
    while answer != NAME and time.monotonic() < deadline:
        time.sleep(0.1)
        with Host(terminal.line) as host:
            answer = host.ask("name")
    assert answer == NAME


def test_a_host_that_goes_before_it_has_read_its_answer_leaves_none_to_the_next(terminal: Device) -> None:
    with Host(terminal.line) as host:
        host.ask("db load 490")
        host.send("db print%")
        host.line()
    time.sleep(0.5)
    with Host(terminal.line) as host:
        assert host.silent()
        assert host.ask("name") == NAME


@pytest.mark.parametrize("line", ["pty", "tcp:0"])
def test_a_host_that_goes_in_the_middle_of_inferences_does_not_keep_the_device_busy(
    keyword_net: Path, line: str
) -> None:
    with device("--benchmark", "kws01", "--model", keyword_net, line=line) as process:
        with Host(process.line) as host:
            host.load(bytes(490))
            host.send("infer 2000000000 0%")
            assert [host.line() for _ in range(3)][-1] == "m-infer-start-2000000000"
        # Longer than a look for the host takes, and much shorter than the inferences would.
        time.sleep(2)
        with Host(process.line) as host:
            assert host.ask("name") == NAME


def test_a_host_that_reads_nothing_is_waited_for_once_and_not_at_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudo_terminal, "BLOCKED_SECONDS", 0.2)
    waits: list[str] = []
    monkeypatch.setattr(pseudo_terminal._logger, "warning", lambda text, *_: waits.append(text))
    with pseudo_terminal.PseudoTerminal() as line, Host(line.name) as host:
        host.send("help%")
        assert line.receive() == b"help%"
        for _ in range(3000):
            line.send(b"a line that nobody reads\r\n")
        assert len(waits) == 1
        # Once it has read what there was and asks again, it is answered.
        while not host.silent(0.1):
            host._waiting = b""
            os.read(host.fd, 65536)
        host.send("name%")
        assert line.receive() == b"name%"
        line.send(b"m-ready\r\n")
        assert host.line() == "m-ready"


def test_a_host_that_reads_slowly_gets_all(terminal: Device) -> None:
    with Host(terminal.line) as host:
        host.ask("db load 27648")
        host.send("db print%")
        time.sleep(0.5)
        answer = host.answer()
    assert len(answer) == 27648 // 8 + 1
    assert set(answer[:-1]) == {"m-buffer-00-00-00-00-00-00-00-00"}


class CountingLine(HostLine):
    """Gives what was sent before, and counts what is asked of it."""

    name = "counted"

    def __init__(self, sent: list[bytes]) -> None:
        self.sent, self.receives, self.sends = sent, 0, 0

    def receive(self) -> bytes | None:
        if not self.sent:
            raise KeyboardInterrupt
        self.receives += 1
        return self.sent.pop(0)

    def send(self, data: bytes) -> None:
        self.sends += 1

    def close(self) -> None:
        """There is nothing to release."""


def test_a_line_of_data_costs_one_read_and_one_write() -> None:
    """What limits a run is the line: beside these calls the device looks at each byte in a few calls of C."""
    commands = [b"db load 27000%", *(b"db " + b"5a" * 31 + b"%" for _ in range(800))]
    line = CountingLine(list(commands))
    with pytest.raises(KeyboardInterrupt):
        serve(DeviceConsole("vww01", ByteNetwork()), line)
    assert line.receives == len(commands)
    # `db load` is answered by two lines, each part by `m-ready` alone.
    assert line.sends == len(commands) + 1


@pytest.mark.fresh_processes("signals stop it")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(keyword_net: Path, number: int) -> None:
    with device("--benchmark", "kws01", "--model", keyword_net) as process:
        code, errors = process.stop(number)
    assert code == 0
    assert "Traceback" not in errors


def test_ctrl_c_stops_it_in_the_middle_of_inferences(keyword_net: Path, tmp_path: Path) -> None:
    log = tmp_path / "dut.log"
    with device("--benchmark", "kws01", "--model", keyword_net, "--log-file", log) as process, Host(process.line) as h:
        h.load(bytes(490))
        h.send("infer 2000000000 0%")
        assert [h.line() for _ in range(3)][-1] == "m-infer-start-2000000000"
        code, errors = process.stop()
    assert code == 0
    assert "Traceback" not in errors
    assert "kws01: kws.tflite on litert serves on /dev/pts/" in log.read_text()
    assert "stopped" in log.read_text()


def test_the_boot_lines_go_to_a_host_that_listens_on_the_port(keyword_net: Path) -> None:
    with Line() as line, Host(line.host) as host:
        options = ("--benchmark", "kws01", "--model", keyword_net, "--vendor", "my board", "--warm-up", "3")
        with device(*options, line=line.device) as process:
            assert process.line == line.device
            boot = host.answer()
            assert [boot[0], *boot[2:]] == ["m-timestamp-mode-performance", "m-init-done", "m-ready"]
            assert boot[1].startswith("m-lap-us-")
            assert host.ask("name")[0] == "m-name-dut-[my board]"
            host.load(bytes(490))
            assert host.ask("infer 1")[0] == "m-warmup-start-3"


def test_a_port_that_goes_and_comes_back_is_served_again(keyword_net: Path, tmp_path: Path) -> None:
    """As the USB device port of a board does when its cable is pulled: the name stays, the terminal behind it not."""
    port = tmp_path / "ttyGS0"
    with Line() as line, Host(line.host) as first:
        port.symlink_to(line.device)
        with device("--benchmark", "kws01", "--model", keyword_net, line=f"serial://{port}") as process:
            assert first.answer()[0] == "m-timestamp-mode-performance"
            assert first.ask("name") == NAME
            line.unplug()
            with Line() as other, Host(other.host) as host:
                port.unlink()
                port.symlink_to(other.device)
                deadline = time.monotonic() + 30
                while host.silent() and time.monotonic() < deadline:
                    host.send("name%")
                assert host.answer() == NAME
            code, errors = process.stop()
    assert code == 0, errors


def test_hosts_over_tcp_come_one_after_another(keyword_net: Path) -> None:
    with device("--benchmark", "kws01", "--model", keyword_net, line="tcp:0") as process:
        assert process.line.startswith("tcp://127.0.0.1:")
        with Host(process.line) as host:
            assert host.ask("name") == NAME
            with Host(process.line) as second:
                assert second.line() == "e-[Another host is connected]"
            host.send("db 01")
        with Host(process.line) as host:
            assert host.ask("name") == NAME


def test_the_pin_falls_and_rises_at_each_timestamp(keyword_net: Path, tmp_path: Path) -> None:
    pin = tmp_path / "value"
    os.mkfifo(pin)
    levels: list[bytes] = []
    reader = threading.Thread(target=lambda: levels.append(pin.read_bytes()))
    reader.start()
    options = ("--benchmark", "kws01", "--model", keyword_net, "--mode", "energy", "--pin", pin)
    with device(*options) as process, Host(process.line) as host:
        assert host.ask("timestamp") == ["m-ready"]
        host.load(bytes(490))
        assert not any(line.startswith("m-lap-us") for line in host.ask("infer 2 1"))
        process.stop()
    reader.join(20)
    # High to begin with; low at boot, at the timestamp, before and after the inferences.
    assert b"".join(levels) == b"1" + b"01" * 4


def refusal(*options: str | Path, line: str = "pty") -> str:
    """What a device says that does not come to serve."""
    with device(*options, line=line, serves=False) as process:
        code, errors = process.ended()
    assert code in (1, 2), errors
    assert "Traceback" not in errors
    return " ".join(errors.split())


@pytest.mark.slow
def test_what_cannot_serve_says_why(keyword_net: Path) -> None:
    text = refusal("--benchmark", "vww01", "--model", keyword_net)
    assert "kws.tflite is no network of vww01 (visual wake words)" in text
    assert "It fits kws01: --benchmark kws01." in text
    text = refusal("--benchmark", "kws01", "--model", keyword_net, line="tcp:0.0.0.0:0")
    assert "can be reached from other machines" in text
    text = refusal("--benchmark", "kws01", "--model", keyword_net, line="/dev/ttyNONE")
    assert "There is no serial port /dev/ttyNONE." in text
    text = refusal("--benchmark", "kws01", "--model", keyword_net, line="ttyGS0")
    assert "'ttyGS0' is no line. Write /dev/ttyGS0" in text
    assert "Did you mean tcp:7611?" in refusal("--benchmark", "kws01", "--model", keyword_net, line="7611")
    text = refusal("--benchmark", "kws01", "--model", keyword_net, "--pin", "/dev/null")
    assert "--pin means nothing in performance mode." in text
