import errno
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from threading import Thread

import msgspec
import numpy as np
import pytest

from edgerig.errors import (
    IncompatibleError,
    InferenceError,
    MissingExtraError,
    SpecError,
    TargetError,
    UnknownNameError,
)
from edgerig.files import sha256
from edgerig.targets.resolve import plugin_of, target_for
from edgerig.testing import faults
from edgerig.testing.contracts.target import TargetContract, random_inputs
from edgerig.testing.line import Line
from edgerig.wire import serial as wire_serial


class TestSerialAgent(TargetContract):
    @pytest.fixture(scope="class")
    def target(self, serial_agent):
        with Line() as line, serial_agent(line.device):
            yield target_for(f"serial://{line.host}?baud=115200")

    @pytest.fixture(scope="class")
    def deployment(self, two_inputs):
        return two_inputs


@pytest.mark.slow
class TestSerialAgentStepwise(TargetContract):
    @pytest.fixture(scope="class")
    def target(self, serial_agent):
        with Line() as line, serial_agent(line.device):
            yield target_for(f"serial://{line.host}", {"protocol": "stepwise", "baud": 921600})

    @pytest.fixture(scope="class")
    def deployment(self, one_input):
        return one_input


class FirmwareContract(TargetContract):
    """A network that is built in takes no time to load, and no other takes its place."""

    @pytest.fixture(scope="class")
    def deployment(self, built_in):
        return built_in

    def test_device_reports_the_file_and_the_engine_that_were_asked_for(self, session, deployment):
        report = session.load_report
        assert report.sha256 == deployment.artifact.sha256
        assert report.runtime == "micro"
        assert report.load_seconds == 0
        assert [spec.shape for spec in report.inputs] == [spec.shape for spec in deployment.artifact.inputs]

    def test_unknown_runtime_and_unknown_setting_are_told_by_name(self, target, deployment):
        with pytest.raises(UnknownNameError, match="no-such-runtime"):
            target.open(deployment.artifact, "no-such-runtime", {})

    def test_file_that_is_no_network_is_refused_by_the_engine(self, target, deployment, tmp_path_factory):
        path = tmp_path_factory.mktemp("other") / "net.tflite"
        path.write_bytes(b"another network")
        other = msgspec.structs.replace(deployment.artifact, path=str(path), sha256=sha256(b"another network"), size=15)
        with pytest.raises(IncompatibleError, match="Another network is built in"):
            target.open(other, "micro", {})

    def test_machine_is_the_one_that_check_saw(self, session):
        # It has no clock that would know the time.
        assert session.machine().host == "er_device"


class TestSerialFirmware(FirmwareContract):
    @pytest.fixture(scope="class")
    def target(self, start_device):
        with start_device() as (_, path):
            yield target_for(f"serial://{path}?baud=115200")


@pytest.mark.slow
class TestSerialFirmwareStepwise(FirmwareContract):
    @pytest.fixture(scope="class")
    def target(self, start_device):
        with start_device() as (_, path):
            yield target_for(f"serial://{path}", {"protocol": "stepwise"})


class TestUnixFirmware(FirmwareContract):
    @pytest.fixture(scope="class")
    def target(self, er_device, tmp_path_factory):
        path = tmp_path_factory.mktemp("er") / "e.sock"
        with subprocess.Popen([er_device, "--unix", path], stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            yield target_for(f"unix://{path}")
            process.kill()


# ---- addresses


@pytest.mark.parametrize(
    "address",
    [
        "serial:///dev/ttyACM0",
        "serial:///dev/ttyACM0?baud=9600&rtscts=1&parity=E&stopbits=2&dtr=0",
        "serial://COM3",
        "serial://?url=rfc2217://pi:2217",
        "rfc2217://pi:2217?baud=9600&timeout=3",
        "socket://pi:4001",
    ],
)
def test_addresses_of_serial_ports(address):
    assert plugin_of(address).extra == "serial"


def test_settings_of_the_address_go_before_those_of_the_target():
    target = target_for("serial:///dev/x?baud=9600&dtr=false", {"baud": 115200, "parity": "E", "dtr": True})
    line = target._line()
    assert (line.baud, line.parity, line.dtr, line.rtscts) == (9600, "E", False, False)
    assert line.byte_seconds == 11 / 9600


def test_urls_of_pyserial_keep_their_own_settings():
    place = wire_serial.parse_serial("rfc2217://pi:2217?baud=9600&timeout=3")
    assert (place.url, place.options) == ("rfc2217://pi:2217?timeout=3", {"baud": "9600"})


@pytest.mark.parametrize(
    ("address", "error", "match"),
    [
        ("serial://", SpecError, "one port"),
        ("serial:///dev/x?url=loop://", SpecError, "one port"),
        ("socket://pi", SpecError, "where to connect"),
        ("rfc2217://pi:port", SpecError, "where to connect"),
        ("serial:///dev/x?bout=9600", UnknownNameError, "bout"),
        ("serial:///dev/x?baud=fast", SpecError, "baud"),
        ("serial:///dev/x?baud=-1", SpecError, "baud"),
        ("serial:///dev/x?parity=X", SpecError, "parity"),
        ("serial:///dev/x?stopbits=3", SpecError, "stopbits"),
        ("serial:///dev/x?xonxoff=1", SpecError, "software flow control"),
    ],
)
def test_wrong_addresses_are_refused_before_anything_is_opened(address, error, match):
    with pytest.raises(error, match=match):
        plugin_of(address)


# ---- ports that cannot be opened


def test_missing_port_is_said_and_those_that_there_are(tmp_path):
    with pytest.raises(TargetError, match="There is no serial port") as caught:
        target_for(f"serial://{tmp_path}/ttyNONE").check()
    assert caught.value.hint.startswith("There ")


def test_file_is_no_serial_port(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match="is not a serial port"):
        target_for(f"serial://{tmp_path}/file").check()


def test_missing_permission_names_the_group_to_join(line):
    error = wire_serial._why_not(line.host, PermissionError(errno.EACCES, "Permission denied"))
    group = Path(line.host).group()
    assert "may not use" in error.message
    assert f"sudo usermod -aG {group} $USER" in error.hint


def test_port_that_another_program_has_is_busy(line):
    first = wire_serial.open_serial(wire_serial.parse_serial(f"serial://{line.host}"), wire_serial.Line())
    with pytest.raises(TargetError, match="Another program uses"):
        target_for(f"serial://{line.host}").check()
    first.close()


def test_unsupported_scheme_inside_a_url_is_said():
    with pytest.raises(TargetError, match="Cannot open"):
        target_for("serial://?url=gopher://x").check()


def test_missing_pyserial_names_the_extra(monkeypatch, line):
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(MissingExtraError, match="pyserial"):
        wire_serial.open_serial(wire_serial.parse_serial(f"serial://{line.host}"), wire_serial.Line())


# ---- devices that do not answer as they should


@pytest.fixture
def quick(monkeypatch):
    """Have a HELLO given up soon."""
    monkeypatch.setattr("edgerig.wire.lossy.HELLO_SECONDS", 1.0)


def test_silent_port_is_said(line, quick):
    with pytest.raises(TargetError, match="not a byte came"):
        target_for(f"serial://{line.host}").check()


def test_garbage_without_end_is_said_and_the_baud_suspected(line, quick):
    stop = []

    def talk():
        rng = np.random.default_rng(0)
        while not stop:
            try:
                line.inject(rng.bytes(200))
            except BlockingIOError:
                time.sleep(0.01)

    thread = Thread(target=talk)
    thread.start()
    with pytest.raises(TargetError, match="not one message among them") as caught:
        target_for(f"serial://{line.host}").check()
    assert "baud" in caught.value.hint
    stop.append(1)
    thread.join()


def test_line_that_sends_back_what_it_is_sent_is_said(line, quick):
    end = os.open(line.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    stop = []

    def echo():
        while not stop:
            try:
                os.write(end, os.read(end, 4096))
            except BlockingIOError:
                time.sleep(0.01)

    thread = Thread(target=echo)
    thread.start()
    try:
        with pytest.raises(TargetError, match=r"messages came in .* s, and none of them is an answer") as caught:
            target_for(f"serial://{line.host}").check()
    finally:
        stop.append(1)
        thread.join()
        os.close(end)
    assert "send back" in caught.value.hint


def test_device_that_boots_for_a_while_is_waited_for(line, serial_agent):
    target = target_for(f"serial://{line.host}")
    answers = []
    thread = Thread(target=lambda: answers.append(target.check()))
    thread.start()
    time.sleep(0.7)
    with serial_agent(line.device):
        thread.join(20)
    assert answers[0].cores


def test_unplugged_port_is_said_at_once(line, serial_agent, faulty):
    with serial_agent(line.device, idle=600) as agent:
        target = target_for(f"serial://{line.host}")
        session = target.open(faulty, faults.NAME, {"seconds": 0.05})
        agent.stop()
        x = np.zeros((200, 4), np.float32)
        killer = Thread(target=lambda: (time.sleep(0.5), line.unplug()))
        killer.start()
        with pytest.raises(TargetError, match="went away"):
            session.run([x])
        killer.join()


@pytest.mark.slow
def test_device_that_falls_silent_in_mid_run_is_given_up(line, serial_agent, faulty):
    with serial_agent(line.device):
        target = target_for(f"serial://{line.host}", {"timeout": 1.5})
        session = target.open(faulty, faults.NAME, {"seconds": 0.01})
        line.muted = True
        with pytest.raises(TargetError, match=r"has not answered for 1\.5 s, asked [23] times"):
            session.run([np.zeros((5, 4), np.float32)])
        line.muted = False
        session.close()
        with target.open(faulty, faults.NAME, {}) as again:
            assert len(again.run([np.ones((5, 4), np.float32)]).times_ns) == 5


# ---- devices that restart


def test_board_that_resets_in_mid_run_is_noticed_by_its_hello_and_can_be_deployed_again(start_device, built_in):
    with start_device("--slow", "20") as (process, path):
        target = target_for(f"serial://{path}", {"timeout": 60})
        session = target.open(built_in.artifact, "micro", {})
        inputs = random_inputs(built_in.artifact, 500)
        session.run([inputs[0][:3]])
        before = session.client.faults.resent
        resetter = Thread(target=lambda: (time.sleep(0.3), os.kill(process.pid, signal.SIGHUP)))
        resetter.start()
        with pytest.raises(TargetError, match=r"went away: it restarted \(reset\)"):
            session.run(inputs)
        resetter.join()
        assert session.client.faults.resent == before, "the hello alone must tell it"
        session.close()
        with target.open(built_in.artifact, "micro", {}) as again:
            np.testing.assert_array_equal(again.run([inputs[0][:9]]).outputs[0], built_in.outputs([inputs[0][:9]])[0])


def test_restart_whose_hello_got_lost_is_noticed_by_the_next_answer(line, serial_agent, faulty):
    target = target_for(f"serial://{line.host}")
    with serial_agent(line.device):
        session = target.open(faulty, faults.NAME, {})
    line.muted = True
    with serial_agent(line.device):
        time.sleep(0.3)
        line.muted = False
        with pytest.raises(TargetError, match="it restarted"):
            session.run([np.zeros((5, 4), np.float32)])


# ---- the agent on a line


def test_network_that_crashes_is_told_and_the_agent_lives_on(line, serial_agent, faulty):
    with serial_agent(line.device):
        target = target_for(f"serial://{line.host}")
        session = target.open(faulty, faults.NAME, {"fault": "abort", "after": 1})
        with pytest.raises(TargetError, match="SIGABRT"):
            session.run([np.zeros((5, 4), np.float32)])
        with pytest.raises(InferenceError, match="No network is loaded"):
            session.run([np.zeros((5, 4), np.float32)])
        session.close()
        with target.open(faulty, faults.NAME, {}) as again:
            assert len(again.run([np.zeros((5, 4), np.float32)]).times_ns) == 5


@pytest.mark.slow
def test_inference_that_takes_longer_than_the_first_patience_is_run_once(line, serial_agent, faulty):
    """The request is sent again while the device still works on it; counted are its inferences."""
    with serial_agent(line.device):
        session = target_for(f"serial://{line.host}").open(faulty, faults.NAME, {"seconds": 1.0})
        run = session.run([np.ones((2, 4), np.float32)])
        assert session.client.faults.resent > 0
        assert session.client.download_statistics().inferences == 2
        np.testing.assert_array_equal(run.outputs[0], np.full((2, 4), 2, np.float32))
        session.close()


def test_bytes_of_a_serial_port_over_tcp(start_device, built_in):
    """`socket://`, as ser2net gives it; and pyserial's spy in between."""
    with start_device() as (_, path), socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        bridge = Thread(target=_bridge, args=(server, path))
        bridge.start()
        with target_for(f"socket://127.0.0.1:{port}").open(built_in.artifact, "micro", {}) as session:
            inputs = random_inputs(built_in.artifact, 300)
            np.testing.assert_array_equal(session.run(inputs).outputs[0], built_in.outputs(inputs)[0])
        bridge.join(10)
        assert not bridge.is_alive()
        url = f"serial://?url=spy://{path}%3Ffile=/dev/null"
        with target_for(url).open(built_in.artifact, "micro", {}) as session:
            np.testing.assert_array_equal(session.run(inputs).outputs[0], built_in.outputs(inputs)[0])


def _bridge(server: socket.socket, path: str) -> None:
    import select

    connected = server.accept()[0]
    port = os.open(path, os.O_RDWR | os.O_NOCTTY)
    while True:
        ready, _, _ = select.select([connected, port], [], [])
        if connected in ready:
            data = connected.recv(4096)
            if not data:
                break
            os.write(port, data)
        if port in ready:
            connected.sendall(os.read(port, 4096))
    os.close(port)
    connected.close()
