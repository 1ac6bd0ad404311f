"""What a user sees when a network, a process, an agent or a connection goes wrong."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.errors import (
    InferenceError,
    MissingExtraError,
    ModelError,
    SpecError,
    TargetError,
    UnknownNameError,
    WireError,
)
from edgerig.install import install_command
from edgerig.targets.remote.tcp import log_lines
from edgerig.targets.resolve import plugin_of, target_for
from edgerig.testing import faults
from edgerig.wire.client import WireClient
from edgerig.wire.frame import FrameReader
from edgerig.wire.link import PairLink

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


#: Workers of servers that other tests keep as long as this process lives.
OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    OTHERS.clear()
    OTHERS.update(workers())


def workers(parent: int | None = None) -> set[int]:
    """Worker processes that ``parent``, by default this process in this test, has started and that are still there."""
    found = set()
    for children in Path(f"/proc/{parent or os.getpid()}/task").glob("*/children"):
        for child in children.read_text().split():
            if alive(int(child)):
                found.add(int(child))
    return found - OTHERS


def alive(pid: int) -> bool:
    """Whether ``pid`` is a worker that runs."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b"edgerig.agent.worker" in words and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_healthy_faulty_runtime_doubles(target, faulty, x):
    with target.open(faulty, faults.NAME, {}) as session:
        np.testing.assert_array_equal(session.run(x).outputs[0], x[0] * 2)


@pytest.mark.parametrize("at", ["load", "run"])
def test_crash_names_the_signal_and_the_last_words(target, faulty, x, at):
    with pytest.raises(TargetError, match=r"SIGABRT.*upside down"):
        target.open(faulty, faults.NAME, {"fault": "abort", "at": at}).run(x)
    # The device is there again for the next network.
    with target.open(faulty, faults.NAME, {}) as session:
        assert len(session.run(x).times_ns) == 5


def test_exit_in_the_middle_names_the_code(target, faulty, x):
    with (
        target.open(faulty, faults.NAME, {"fault": "exit", "after": 3}) as session,
        pytest.raises(TargetError, match="exit code 3"),
    ):
        session.run(x)


def test_engine_that_says_no_keeps_its_class_and_words(target, faulty, x):
    with (
        target.open(faulty, faults.NAME, {"fault": "raise"}) as session,
        pytest.raises(InferenceError, match="the engine says no"),
    ):
        session.run(x)


def test_failure_at_load_keeps_its_class_and_words(target, faulty):
    with pytest.raises(InferenceError, match="the engine says no"):
        target.open(faulty, faults.NAME, {"fault": "raise", "at": "load"})


def test_session_outlives_an_inference_error(target, faulty, x):
    with target.open(faulty, faults.NAME, {"fault": "raise", "after": 1}) as session:
        assert len(session.run([x[0][:1]]).times_ns) == 1
        with pytest.raises(InferenceError):
            session.run(x)
        assert session.memory()


def test_hang_is_noticed_by_the_timeout_and_leaves_no_process(faulty, x):
    target = target_for("local", {"timeout": 3})
    session = target.open(faulty, faults.NAME, {"fault": "hang"})
    with pytest.raises(TargetError, match=r"has not answered for 3 s"):
        session.run(x)
    session.close()
    assert not workers()


def test_hang_on_an_agent_is_cleared_away_for_the_next_session(start_agent, faulty, x):
    agent = start_agent(runtimes=(faults.NAME,))
    target = target_for(str(agent.address), {"timeout": 3})
    with target.open(faulty, faults.NAME, {"fault": "hang"}) as session, pytest.raises(TargetError, match="answered"):
        session.run(x)
    target.close()
    patient = target_for(str(agent.address))
    with patient.open(faulty, faults.NAME, {}) as session:
        assert len(session.run(x).times_ns) == 5


def test_file_that_changed_is_not_deployed(target, faulty):
    Path(faulty.path).write_bytes(b"another network")
    with pytest.raises(ModelError, match="SHA-256"):
        target.open(faulty, faults.NAME, {})


def test_name_with_dots_writes_nothing_outside_the_folder(start_agent, tmp_path, x):
    """The name of a model never becomes a path on the device."""
    agent_folder = tmp_path / "device" / "agent"
    agent = start_agent(runtimes=(faults.NAME,), folder=agent_folder)
    target = target_for(str(agent.address))
    artifact = faults.any_artifact(tmp_path)
    named = tmp_path / "..%2f..%2fevil.tflite"
    Path(artifact.path).rename(named)
    artifact = msgspec.structs.replace(artifact, path=str(named), name="../../evil")
    with target.open(artifact, faults.NAME, {}) as session:
        own = ("stderr", "held", "agent.lock", "leases.json")
        files = [p for p in (tmp_path / "device").rglob("*") if p.is_file() and p.name not in own]
        assert [p.name for p in files] == [f"{artifact.sha256}.tflite"]
        assert files[0].parent.parent == agent_folder
        assert len(session.run(x).times_ns) == 5
    assert eventually(lambda: not [p for p in agent_folder.iterdir() if p.name not in own])


def test_absent_agent_is_an_error_that_says_how_to_start_one(faulty):
    address = f"tcp://127.0.0.1:{free_port()}"
    target = target_for(address)
    for attempt in (target.check, lambda: target.open(faulty, "litert", {})):
        with pytest.raises(TargetError, match=address) as caught:
            attempt()
        assert "edgerig agent --listen" in caught.value.hint


def test_server_of_another_protocol_is_not_taken_for_an_agent():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connected, _ = listener.accept()
            with connected:
                connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4000)
                connected.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(TargetError, match="no message among them"):
            target_for(f"tcp://127.0.0.1:{listener.getsockname()[1]}").check()
        thread.join()


def test_server_that_says_nothing_is_given_up(faulty):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = target_for(f"tcp://127.0.0.1:{listener.getsockname()[1]}", {"timeout": 0.3})
        with pytest.raises(TargetError, match="not even said hello"):
            target.check()


def test_server_that_is_no_agent_is_given_up_long_before_a_network_would_be(monkeypatch):
    monkeypatch.setitem(WireClient.__init__.__kwdefaults__, "hello_timeout", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = target_for(f"tcp://127.0.0.1:{listener.getsockname()[1]}", {"timeout": 600})
        with pytest.raises(TargetError, match=r"0\.3 s; it has not even said hello") as caught:
            target.check()
    assert "Is it an edgerig agent" in caught.value.hint


@pytest.fixture
def foreign():
    """A server that does with each connection what it is given; its address."""
    stop = threading.Event()
    listeners, threads = [], []

    def start(behave) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError, OSError), listener.accept()[0] as connected:
                    behave(connected, stop)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        listeners.append(listener)
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    stop.set()
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.close()


def test_server_that_trickles_bytes_does_not_keep_a_host(foreign, monkeypatch):
    monkeypatch.setitem(WireClient.__init__.__kwdefaults__, "hello_timeout", 0.6)

    def trickle(connected, stop) -> None:
        while not stop.wait(0.1):
            connected.sendall(b"x")

    with pytest.raises(TargetError, match=r"no message of edgerig's: b'xx") as caught:
        target_for(foreign(trickle), {"timeout": 600}).check()
    assert "Is it an edgerig agent" in caught.value.hint


def test_server_that_hangs_up_is_told_by_what_it_sent(foreign):
    def banner(connected, stop) -> None:
        connected.recv(10_000)
        connected.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with pytest.raises(TargetError, match=r"hung up instead of saying hello\. It sent .*SSH-2\.0"):
        target_for(foreign(banner)).check()


def test_session_that_is_sent_garbage_for_ever_ends(foreign, monkeypatch):
    """After the hello, too: a frame is searched for, but not without end."""
    monkeypatch.setattr("edgerig.wire.frame.GARBAGE_SECONDS", 0.4)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = FrameReader(PairLink(ours))
        done = threading.Event()

        def trickle() -> None:
            while not done.wait(0.05):
                theirs.sendall(b"x" * 40)

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            with pytest.raises(WireError, match="no message among them"):
                reader.read()
        finally:
            done.set()
            thread.join()


def test_second_session_of_a_run_is_refused_and_the_first_goes_on(start_agent, faulty, x):
    target = target_for(str(start_agent(runtimes=(faults.NAME,)).address))
    with target.open(faulty, faults.NAME, {}) as session:
        with pytest.raises(TargetError, match="busy: this run has a session"):
            target.open(faulty, faults.NAME, {})
        target.check()
        assert len(session.run(x).times_ns) == 5
    with target.open(faulty, faults.NAME, {}) as session:
        assert len(session.run(x).times_ns) == 5


def test_agent_runs_only_the_runtimes_that_it_was_given(start_agent, faulty):
    target = target_for(str(start_agent(runtimes=("litert",)).address))
    with pytest.raises(UnknownNameError, match="faults") as caught:
        target.open(faulty, faults.NAME, {})
    assert caught.value.known == ["litert"]


def test_agent_imports_nothing_that_a_client_names(start_agent, faulty):
    target = target_for(str(start_agent().address))
    with pytest.raises(UnknownNameError):
        target.open(faulty, "os:getcwd", {})


def test_missing_engine_on_the_device_names_the_pip_command(start_agent, faulty):
    absent = "edgerig.testing.faults:Absent"
    target = target_for(str(start_agent(runtimes=(absent,)).address))
    with pytest.raises(MissingExtraError, match="no_such_engine") as caught:
        target.open(faulty, absent, {})
    assert caught.value.hint == install_command("onnx")


def test_worker_killed_in_the_middle_is_noticed(target, faulty, x):
    with target.open(faulty, faults.NAME, {"seconds": 0.05}) as session:
        (worker,) = workers()
        timer = threading.Timer(0.3, os.kill, (worker, signal.SIGKILL))
        timer.start()
        with pytest.raises(TargetError, match="SIGKILL"):
            session.run([np.zeros((2000, 4), np.float32)])
        timer.join()


def test_agent_killed_in_the_middle_is_noticed_and_leaves_no_worker(faulty):
    words = [sys.executable, "-m", "edgerig", "agent", "--listen", "127.0.0.1:0", "--runtime", faults.NAME]
    agent = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = agent.stdout.readline().split()[-1]
        with target_for(address).open(faulty, faults.NAME, {"seconds": 0.05}) as session:
            (worker,) = workers(agent.pid)
            timer = threading.Timer(0.3, agent.kill)
            timer.start()
            with pytest.raises(TargetError, match="went away"):
                session.run([np.zeros((2000, 4), np.float32)])
            timer.join()
        assert eventually(lambda: not alive(worker))
    finally:
        agent.kill()
        agent.wait()
        agent.stdout.close()


def test_stopped_agent_and_worker_are_noticed_by_the_timeout(start_agent, faulty, x):
    target = target_for(str(start_agent(runtimes=(faults.NAME,)).address), {"timeout": 3})
    with target.open(faulty, faults.NAME, {}) as session:
        (worker,) = workers()
        os.kill(worker, signal.SIGSTOP)
        with pytest.raises(TargetError, match="has not answered"):
            session.run(x)
    assert eventually(lambda: not alive(worker)), "a stopped worker must be killed when its client is gone"


def test_parent_killed_leaves_no_local_worker_and_no_folder(tmp_path, faulty):
    code = (
        "import sys, numpy as np\n"
        "from edgerig.targets.resolve import target_for\n"
        "from edgerig.testing import faults\n"
        "from pathlib import Path\n"
        "artifact = faults.any_artifact(Path(sys.argv[1]))\n"
        "session = target_for('local').open(artifact, faults.NAME, {'seconds': 30})\n"
        "print('open', flush=True)\n"
        "session.run([np.zeros((3, 4), np.float32)])\n"
    )
    folder = tmp_path / "tmp"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    words = [sys.executable, "-c", code, str(tmp_path)]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout.readline() == "open\n"
    (worker,) = workers(parent.pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert eventually(lambda: not alive(worker))
    assert eventually(lambda: not list(folder.iterdir()))


def test_closing_a_target_closes_its_sessions(target, faulty, x):
    session = target.open(faulty, faults.NAME, {})
    target.close()
    with pytest.raises(TargetError):
        session.run(x)


def test_start_brings_an_agent_up_for_the_run_and_takes_it_down_again(faulty, tmp_path):
    port = free_port()
    target = target_for(f"tcp://127.0.0.1:{port}", {"start": True})
    target.check()
    assert "started by this run" in target.description
    agent = target._agent.pid
    target.close()
    assert not Path(f"/proc/{agent}").exists()
    with pytest.raises(TargetError):
        target_for(f"tcp://127.0.0.1:{port}").check()


def test_what_an_agent_says_is_read_and_logged_however_much_it_is(caplog):
    """A pipe that nobody reads takes 64 KiB: the agent would wait for ever."""
    program = "for i in range(3000): print('2026-01-01 00:00:00 WARNING', 'x' * 100, i)"
    agent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with caplog.at_level("INFO"):
        log_lines(agent.stdout, agent.pid)
    assert agent.wait(20) == 0
    assert len(caplog.records) == 3000
    last = caplog.records[-1]
    assert (last.levelname, last.getMessage(), last.process) == ("WARNING", "x" * 100 + " 2999", agent.pid)


def test_start_uses_an_agent_that_is_there_and_leaves_it_there(start_agent):
    address = str(start_agent().address)
    target = target_for(address, {"start": True})
    target.check()
    assert target.description == address
    target.close()
    target_for(address).check()


def test_start_on_another_machine_is_refused(monkeypatch):
    def refused(*_):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("edgerig.targets.remote.tcp.connect_tcp", refused)
    with pytest.raises(SpecError, match="this machine only"):
        target_for("tcp://192.0.2.1:7433", {"start": True}).check()


def test_agent_that_cannot_start_says_its_own_words():
    # The kernel refuses the address; the agent's message is passed on.
    target = target_for("tcp://127.0.0.1:1", {"start": True})
    if os.geteuid() == 0:
        target = target_for("tcp://[::1]:7999", {"start": True})
        with socket.socket(socket.AF_INET6) as taken:
            try:
                taken.bind(("::1", 7999))
            except OSError:
                pytest.skip("no IPv6 here")
            with pytest.raises(TargetError, match="Cannot listen"):
                target.check()
        return
    with pytest.raises(TargetError, match="Cannot listen"):
        target.check()


@pytest.mark.parametrize("address", ["locl", "udp://pi:1", "tcp", "pi:7433", "http://pi", "usb:///dev/ttyACM0"])
def test_unknown_address_is_refused_by_name(address):
    with pytest.raises((UnknownNameError, SpecError)):
        plugin_of(address)


@pytest.mark.parametrize(
    "address", ["tcp://", "tcp://::1:7", "tcp://pi:port", "tcp://pi:99999", "tcp://:7433", "tcp://pi:0"]
)
def test_malformed_address_is_refused_before_anything_is_connected(address):
    with pytest.raises(SpecError):
        target_for(address)


def test_plugin_by_class_name_is_a_target():
    target = target_for("edgerig.targets.local:Local", {"timeout": 5})
    assert target.settings.timeout == 5
    assert target.check().cores
