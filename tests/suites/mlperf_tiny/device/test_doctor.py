"""The doctor of lines: on real pseudo-terminals and sockets, with real processes that sit on them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.suites.mlperf_tiny.device.host import Host, device
from tests.suites.mlperf_tiny.device.test_console import ByteNetwork

from edgerig.cli import cli
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.errors import SpecError, TargetError
from edgerig.suites.mlperf_tiny.device.address import open_line
from edgerig.suites.mlperf_tiny.device.console import DeviceConsole
from edgerig.suites.mlperf_tiny.device.doctor import Diagnosis, examine
from edgerig.suites.mlperf_tiny.device.occupants import Occupant, occupants
from edgerig.suites.mlperf_tiny.runner.address import open_device
from edgerig.suites.mlperf_tiny.runner.device import Device
from edgerig.suites.mlperf_tiny.runner.line import DeviceLine
from edgerig.suites.mlperf_tiny.runner.transcript import Transcript
from edgerig.testing import networks

#: Becomes the leader of a session whose terminal is the one named, as a getty does, and waits.
GETTY = """#!/bin/sh
exec 3<>"$1"
echo ready >&2
sleep 60
"""


@contextmanager
def far_end(answer: Callable[[int, bytes], bytes]) -> Iterator[str]:
    """A terminal whose far end sends ``answer(our descriptor, what came)``; the name of the near end."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    stopping = threading.Event()

    def work() -> None:
        os.set_blocking(ours, False)
        while not stopping.wait(0.005):
            try:
                data = os.read(ours, 4096)
            except BlockingIOError:
                continue
            if reply := answer(ours, data):
                os.write(ours, reply)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        stopping.set()
        thread.join()
        os.close(ours)
        os.close(theirs)


def served(console: DeviceConsole, data: bytes) -> bytes:
    return b"".join(line.encode() + b"\r\n" for line in console.feed(data))


def finding(diagnosis: Diagnosis, name: str) -> tuple[str, str, str]:
    """State, text and hint of the only finding of that name."""
    (only,) = [finding for finding in diagnosis.findings if finding.name == name]
    return only.state, only.text, only.hint or ""


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["mlperf-tiny", "doctor", *arguments])


def test_a_device_answers_with_name_and_benchmark() -> None:
    console = DeviceConsole("kws01", ByteNetwork(), vendor="a board")
    with far_end(lambda _, data: served(console, data)) as name:
        diagnosis = examine(name)
    assert diagnosis.ok
    assert (diagnosis.device, diagnosis.benchmark, diagnosis.baud) == ("a board", "kws01", None)
    assert finding(diagnosis, "answer") == ("ok", "the device answers: a board, for kws01", "")
    assert finding(diagnosis, "login")[0] == "ok"


@pytest.mark.slow
def test_the_bit_rate_is_found_at_which_it_answers() -> None:
    """The far end sees which rate was set, and answers noise at any but its own."""
    console = DeviceConsole("ad01", ByteNetwork())

    def answer(ours: int, data: bytes) -> bytes:
        rate = termios.tcgetattr(ours)[4]
        return served(console, data) if rate == termios.B921600 else bytes(byte | 0x80 for byte in data)

    with far_end(answer) as name:
        tried: list[str] = []
        diagnosis = examine(name, bauds=(115_200, 9_600, 921_600, 57_600), log=tried.append)
        assert diagnosis.baud == 921_600
        assert diagnosis.ok
        assert [text.split()[2] for text in tried] == ["115200", "9600", "921600"]
        diagnosis = examine(f"serial://{name}?baud=9600", bauds=(9_600, 921_600))
        assert not diagnosis.ok
        assert finding(diagnosis, "baud")[1] == "it answers at 921600 bits a second, not at the 9600 of the address"
        state, text, hint = finding(examine(name, bauds=(115_200, 9_600)), "answer")
    assert state == "bad"
    assert "5 bytes came back that are no text, at 115200, 9600 bits a second" in text
    assert hint == "The bit rate may be another one."


def test_a_device_that_starts_when_the_port_is_opened_is_asked_again() -> None:
    """Its first ``m-ready`` ends its boot, and not the answer."""
    console, started = DeviceConsole("ic01", ByteNetwork()), []

    def answer(_: int, data: bytes) -> bytes:
        if started:
            return served(console, data)
        started.append(data)
        return b"".join(line.encode() + b"\r\n" for line in console.boot())

    with far_end(answer) as name:
        assert examine(name).benchmark == "ic01"


def test_what_another_host_had_begun_does_not_hide_the_device() -> None:
    console = DeviceConsole("kws01", ByteNetwork())
    list(console.feed(b"db 0102"))
    with far_end(lambda _, data: served(console, data)) as name:
        assert examine(name).device == "edgerig"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "problem", "hint"),
    [
        (b"", "nothing came back", "Is the device on"),
        (b"\r\njetson login: ", "a login is offered at the other end: '", "Stop the getty"),
        (b"name%", "the question itself came back and nothing else", "Something echoes"),
        (b"hello\r\n", "no name came back but 'hello", "Is it a device for MLPerf Tiny"),
    ],
)
def test_what_comes_instead_of_an_answer_is_named(sent: bytes, problem: str, hint: str) -> None:
    with far_end(lambda _, data: sent) as name:
        diagnosis = examine(name)
    state, text, advice = finding(diagnosis, "answer")
    assert (state, diagnosis.ok) == ("bad", False)
    assert text.startswith(f"no answer to name% within 2 s: {problem}")
    assert advice.startswith(hint)


@contextmanager
def getty_on(terminal: str, folder: Path) -> Iterator[int]:
    """A process called agetty whose controlling terminal is ``terminal``; its number."""
    program = folder / "agetty"
    program.write_text(GETTY)
    program.chmod(0o755)
    process = subprocess.Popen([program, terminal], start_new_session=True, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_getty_is_named_and_nothing_is_sent_to_it(tmp_path: Path) -> None:
    came: list[bytes] = []
    with far_end(lambda _, data: came.append(data) or b"") as name, getty_on(name, tmp_path) as process:
        diagnosis = examine(name)
        state, text, hint = finding(diagnosis, "login")
        assert (state, text) == ("bad", f"agetty (process {process}) offers a login on {name}")
        assert hint == f"Stop it: sudo kill {process}."
        assert "not asked" in finding(diagnosis, "answer")[1]
        with pytest.raises(
            TargetError, match=rf"On {name} a login is offered by agetty \(process {process}\)"
        ) as error:
            open_line(name, baud=115_200)
        assert error.value.hint == f"Stop it: sudo kill {process}."
    assert came == []


def test_a_unit_of_systemd_is_stopped_and_kept_away() -> None:
    getty = Occupant("agetty", 812, "serial-getty@ttyGS0.service")
    assert getty.is_getty
    assert getty.words == "agetty (process 812, serial-getty@ttyGS0.service)"
    assert getty.remedy.startswith("sudo systemctl stop serial-getty@ttyGS0.service;")
    assert "sudo systemctl mask serial-getty@ttyGS0.service" in getty.remedy
    assert Occupant("python3", 9, "nvgetty.service").is_getty
    assert not Occupant("minicom", 9, None).is_getty


def test_a_program_that_has_the_port_open_is_a_warning(tmp_path: Path) -> None:
    console = DeviceConsole("kws01", ByteNetwork())
    with far_end(lambda _, data: served(console, data)) as name:
        code = f"import time; file = open({name!r}, 'rb', buffering=0); print('ready', flush=True); time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert process.pid in [other.process for other in occupants(Path(name))]
            diagnosis = examine(name)
        finally:
            process.kill()
            process.communicate()
    assert diagnosis.ok
    state, text, _ = finding(diagnosis, "others")
    assert state == "warning"
    assert f"(process {process.pid})" in text


def test_modem_manager_is_named_where_a_usb_port_is_looked_at(tmp_path: Path) -> None:
    program, port = tmp_path / "ModemManager", tmp_path / "ttyACM0"
    program.write_text("#!/bin/sh\necho ready\nsleep 60\n")
    program.chmod(0o755)
    console = DeviceConsole("kws01", ByteNetwork())
    process = subprocess.Popen([program], start_new_session=True, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with far_end(lambda _, data: served(console, data)) as name:
            port.symlink_to(name)
            state, text, hint = finding(examine(str(port)), "modem manager")
            assert not any(other.name == "modem manager" for other in examine(name).findings)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert state == "warning"
    assert text.startswith("ModemManager (process ")
    assert "ID_MM_DEVICE_IGNORE=1" in hint


def test_only_terminals_have_occupants() -> None:
    assert occupants(Path("/dev/null")) == []
    assert occupants(Path("/dev/none")) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_a_port_that_belongs_to_a_group_says_which() -> None:
    """Root may open anything: the question is asked by nobody."""
    with far_end(lambda _, data: b"") as name:
        Path(name).chmod(0o620)
        group = Path(name).group()
        code = (
            "from edgerig.suites.mlperf_tiny.device.doctor import examine\n"
            "import grp, os, serial.tools.list_ports\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "from pathlib import Path\n"
            f"(bad,) = [finding for finding in examine({name!r}).findings if finding.state == 'bad']\n"
            "print(bad.name, bad.text, bad.hint)"
        )
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer.startswith(f"port You may not use {name}. It belongs to the group {group!r}.")
    assert f"sudo usermod -aG {group} $USER" in answer


def test_a_socket_answers_or_refuses(tmp_path: Path) -> None:
    net = networks.dense_tflite(tmp_path / "kws.tflite", (49, 10, 1), 12)
    with device("--benchmark", "kws01", "--model", net, line="tcp:0") as process:
        diagnosis = examine(process.line)
        assert (diagnosis.ok, diagnosis.device, diagnosis.benchmark) == (True, "edgerig", "kws01")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    state, text, hint = finding(examine(f"tcp:127.0.0.1:{port}"), "port")
    assert (state, text) == ("bad", f"tcp://127.0.0.1:{port} takes no connection: Connection refused")
    assert "mlperf-tiny dut" in hint


def test_a_device_that_serves_another_host_says_so_to_doctor_and_runner(tmp_path: Path) -> None:
    net = networks.dense_tflite(tmp_path / "kws.tflite", (49, 10, 1), 12)
    with device("--benchmark", "kws01", "--model", net, line="tcp:0") as process, Host(process.line) as host:
        assert host.ask("name")
        state, text, hint = finding(examine(process.line), "answer")
        assert state == "bad"
        assert "another host is connected to the device" in text
        assert "Wait until the other run has ended" in hint
        link = open_device(process.line, BENCHMARKS["kws01"], "accuracy").link
        runner = Device(DeviceLine(link, Transcript()))
        try:
            with pytest.raises(TargetError, match="Another host is connected to the device"):
                runner.identify()
        finally:
            runner.close()


def test_the_command_tells_and_exits_by_what_it_found(tmp_path: Path) -> None:
    net = networks.dense_tflite(tmp_path / "kws.tflite", (49, 10, 1), 12)
    with device("--benchmark", "kws01", "--model", net) as process:
        answer = doctor(process.line)
        assert answer.exit_code == 0, answer.output
        assert "answer: the device answers: edgerig, for kws01" in answer.stdout
        document = json.loads(doctor(process.line, "--json").stdout)
        assert document["ok"] is True
        assert (document["device"], document["benchmark"], document["baud"]) == ("edgerig", "kws01", None)
    answer = doctor("/dev/ttyNONE", "--json")
    assert answer.exit_code == 1
    document = json.loads(answer.stdout)
    assert document["ok"] is False
    assert document["findings"][0]["text"] == "There is no serial port /dev/ttyNONE."
    assert isinstance(doctor("nonsense").exception, SpecError)
