"""The digits server in C: what the one in Python is asked, and what is its own."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from tests.needs import need, need_module
from tests.serve.ways.test_digits import (  # noqa: F401 - asked of this server too
    check,
    connect,
    digit,
    receive,
    test_a_bad_request_ends_its_connection_after_the_replies_before_it,
    test_every_truncation_and_early_closes,
    test_idle_and_half_sent_connections_hold_nobody_up,
    test_many_connections_at_once_each_get_their_own,
    test_one_inference_a_connection,
    test_pipelined_requests_are_answered_in_their_order,
    test_the_client_of_edgerig,
)

from edgerig.boards import digits_program
from edgerig.boards.digits_program import ProgramSettings, build_digits_program
from edgerig.errors import CompileError, IncompatibleError, UsageError
from edgerig.models.files import open_artifact
from edgerig.testing import networks
from edgerig.wire.digits import REPLY_SIZE, STATS_REQUEST, encode_inference_request

Served = Any


@pytest.fixture(scope="session")
def program(digit_net: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server with the network of the other tests inside, built by pip's compiler."""
    need_module("ziglang", "ziglang")
    out = tmp_path_factory.mktemp("digits-in-c") / "server"
    build_digits_program(open_artifact(digit_net), out, ProgramSettings(compiler="ziglang"))
    return out


@pytest.fixture(scope="module")
def start(program: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers: ``start("--workers", "2")``; all must end well."""
    running: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> Served:
        process = subprocess.Popen([program, *options, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        return SimpleNamespace(addresses={"digits": SimpleNamespace(port=port)}, process=process)

    yield begin
    for process in running:
        process.terminate()
    assert [process.wait(30) for process in running] == [0] * len(running)


@pytest.fixture(scope="module")
def served(start: Callable[..., Served]) -> Served:
    return start()


def ask(server: Served, seed: int) -> None:
    with connect(server) as client:
        client.sendall(encode_inference_request(digit(seed)))
        check(receive(client, REPLY_SIZE), digit(seed))


def test_requests_before_a_bad_one_in_the_same_bytes_are_answered(served: Served) -> None:
    with connect(served) as client:
        client.sendall(STATS_REQUEST * 30 + b"\xff" * 100)
        assert len(receive(client, 10_000)) == 30 * 48


def test_a_client_that_takes_no_replies_holds_nobody_up_and_gets_all_of_them_later(served: Served) -> None:
    count = 100_000
    with connect(served) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.setblocking(False)
        stream = memoryview(STATS_REQUEST * count)
        while stream:
            try:
                stream = stream[client.send(stream) :]
            except BlockingIOError:
                break
        ask(served, 6)
        client.setblocking(True)
        sent = 12 * count - len(stream)
        assert len(receive(client, sent // 12 * 48)) == sent // 12 * 48


def test_several_workers_answer_and_end_together(start: Callable[..., Served]) -> None:
    server = start("--workers", "3")
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    workers = children.read_text().split()
    assert len(workers) == 3
    for seed in range(30):
        ask(server, seed)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0
    assert not any(Path("/proc", worker).exists() for worker in workers)


def test_a_worker_that_is_killed_is_replaced(start: Callable[..., Served]) -> None:
    served = start("--workers", "3")
    supervisor = psutil.Process(served.process.pid)
    for _ in range(3):
        before = {child.pid for child in supervisor.children()}
        assert len(before) == 3
        os.kill(min(before), signal.SIGKILL)
        while len({child.pid for child in supervisor.children()} - before) < 1:
            assert served.process.poll() is None
            time.sleep(0.05)
    for seed in range(20):
        ask(served, seed)


def test_requests_that_have_arrived_are_answered_before_it_ends(start: Callable[..., Served]) -> None:
    server = start()
    with connect(server) as client, connect(server) as idle:
        client.sendall(b"".join(encode_inference_request(digit(seed)) for seed in range(12)))
        check(receive(client, REPLY_SIZE), digit(0))
        server.process.terminate()
        for seed in range(1, 12):
            check(receive(client, REPLY_SIZE), digit(seed))
        assert receive(client, 1) == receive(idle, 1) == b""
    assert server.process.wait(30) == 0


def test_connections_that_say_nothing_are_closed(start: Callable[..., Served]) -> None:
    server = start("--idle", "1")
    with connect(server) as client:
        assert receive(client, 1) == b""
    ask(server, 1)


def test_more_connections_than_descriptors_wait_for_their_turn(program: Path) -> None:
    words = ["sh", "-c", 'ulimit -n 40; exec "$0" 127.0.0.1:0', str(program)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        server = SimpleNamespace(addresses={"digits": SimpleNamespace(port=port)})
        idle = [connect(server) for _ in range(100)]
        last = connect(server)
        last.sendall(encode_inference_request(digit(1)))
        used = _processor_seconds(process.pid)
        time.sleep(0.3)
        assert _processor_seconds(process.pid) - used < 0.2, "it waits, it does not spin"
        for client in idle:
            client.close()
        check(receive(last, REPLY_SIZE), digit(1))
        last.close()
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.slow
def test_changed_requests_upset_no_sanitizer(digit_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("cc")
    sanitizers = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    monkeypatch.setattr(digits_program, "_FLAGS", (*digits_program._FLAGS, *sanitizers))
    program = tmp_path / "server"
    build_digits_program(open_artifact(digit_net), program, ProgramSettings(compiler="cc"))
    luck = random.Random(9)
    with subprocess.Popen(
        [program, "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        server = SimpleNamespace(addresses={"digits": SimpleNamespace(port=port)})
        for seed in range(400):
            stream = bytearray(
                encode_inference_request(digit(seed)) + STATS_REQUEST + encode_inference_request(digit(1))
            )
            for _ in range(luck.randrange(4)):
                stream[luck.randrange(60)] = luck.choice((0, 1, 4, 8, 12, 255))
            with connect(server) as client:
                client.sendall(stream[: luck.randrange(len(stream))] if luck.random() < 0.5 else stream)
                if luck.random() < 0.7:
                    client.shutdown(socket.SHUT_WR)
                    receive(client, 1000)
        ask(server, 3)
        process.terminate()
        assert (process.wait(30), process.communicate()[1]) == (0, "")


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    "words",
    [[], ["127.0.0.1"], ["127.0.0.1:x"], ["host:1"], ["--workers", "0", "127.0.0.1:0"], ["--what", "1", "127.0.0.1:0"]],
)
def test_a_wrong_call_is_told_how_it_is_done(program: Path, words: list[str]) -> None:
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_a_port_that_is_taken_is_said(program: Path, served: Served) -> None:
    address = f"127.0.0.1:{served.addresses['digits'].port}"
    done = subprocess.run([program, address], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == "cannot listen there: Address already in use\n"


def test_what_cannot_be_built_is_refused(tmp_path: Path, digit_net: Path) -> None:
    other = networks.dense_tflite(tmp_path / "other.tflite", 16, 10)
    with pytest.raises(IncompatibleError, match="takes 784 numbers"):
        build_digits_program(open_artifact(other), tmp_path / "server")
    settings = ProgramSettings(compiler="cc", machine="aarch64-linux-musl")
    with pytest.raises(UsageError, match="does not build for aarch64"):
        build_digits_program(open_artifact(digit_net), tmp_path / "server", settings)
    with pytest.raises(CompileError, match="cannot compile the server"):
        build_digits_program(open_artifact(digit_net), tmp_path / "server", ProgramSettings(machine="no-such-machine"))
    assert not (tmp_path / "server").exists()
