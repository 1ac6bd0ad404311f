"""Loads as a user makes them: in processes of their own, and from the command line."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.serve.stress.conftest import GOOD, Serve

from edgerig.cli.stress_command import command, load_of
from edgerig.errors import TargetError, UsageError, WireError
from edgerig.serve.stress.load import Load, usual_processes
from edgerig.serve.stress.run import check_files, stress

EDGERIG = str(Path(sys.executable).parent / "edgerig")


def test_a_load_of_two_processes_is_whole(serve: Serve) -> None:
    server = serve()
    load = Load(host="127.0.0.1", port=server.port, protocol="digits", connections=5, requests=20, processes=2)
    result = stress(load)
    assert (result.total, result.good, result.failed, result.tool.processes) == (100, 100, 0, 2)
    # One more was asked before, to see that the server is there.
    assert server.requests == 101
    assert sum(count for _, count in result.histogram) == 100
    assert result.tool.cpu.value > 0


def test_the_command_prints_what_came_out(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda number: (0.0, GOOD if number != 20 else None))
    words = [f"digits://127.0.0.1:{server.port}", "--connections", "50", "--json"]
    done = subprocess.run(
        [EDGERIG, "stress", *words, "--plot", str(tmp_path / "load.svg")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert (result["total"], result["good"]) == (50, 49)
    assert result["failures"] == {"connection closed before the reply": 1}
    assert result["latency"]["p99"]["unit"] == "s"
    assert result["server"]["value"] == pytest.approx(2.5e-3)
    assert "The 1 failed requests are in no latency" in done.stderr
    assert ElementTree.parse(tmp_path / "load.svg").getroot().tag.endswith("svg")


@pytest.mark.slow
def test_ctrl_c_shows_what_was_done_until_then(serve: Serve) -> None:
    server = serve()
    process = subprocess.Popen(
        [EDGERIG, "stress", f"127.0.0.1:{server.port}", "--protocol", "digits", "--requests", "10000000", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while server.requests < 500:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    result = json.loads(out)
    assert 400 < result["good"] <= server.requests
    assert result["failed"] == 0
    assert "Stopped; the figures are those of what was done until then." in err


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        load = Load(host="127.0.0.1", port=holder.getsockname()[1], protocol="digits", connections=1000)
        with pytest.raises(TargetError, match="One request before the load failed: Cannot connect"):
            stress(load)


def test_a_server_of_another_protocol_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connected, _ = listener.accept()
            with connected, contextlib.suppress(OSError):
                connected.recv(65536)
                connected.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                connected.recv(65536)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(WireError, match="Is it a digits server"):
            stress(Load(host="127.0.0.1", port=listener.getsockname()[1], protocol="digits"))
        thread.join()


def test_more_connections_than_files_are_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    load = Load(host="h", port=1, protocol="digits", connections=2000)
    with pytest.raises(UsageError, match="2,000 connections of one process are more than the 1,024") as caught:
        check_files(load)
    assert "ulimit -Hn 2064" in str(caught.value.hint)
    check_files(Load(host="h", port=1, protocol="digits", connections=2000, processes=4))


def test_the_limit_on_files_is_raised_as_far_as_it_goes() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 900))\n"
        "from edgerig.serve.stress.process import allow_files\n"
        "print(allow_files(200), resource.getrlimit(resource.RLIMIT_NOFILE)[0], allow_files(5000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["200", "264", str(900 - 64)]


@pytest.mark.parametrize(
    ("address", "protocol", "meant"),
    [
        ("digits://h", None, ("digits", 32001, False)),
        ("digits://[::1]:7", "digits", ("digits", 7, False)),
        ("http://h/", None, ("oip-http", 8080, False)),
        ("https://h:9", None, ("oip-http", 9, True)),
        ("grpcs://h", None, ("oip-grpc", 8081, True)),
        ("tls://h", "digits", ("digits", 32001, True)),
        ("tcp://h:5", "oip-grpc", ("oip-grpc", 5, False)),
        ("h", "oip-http", ("oip-http", 8080, False)),
    ],
)
def test_an_address_tells_protocol_port_and_encryption(
    address: str, protocol: str | None, meant: tuple[str, int, bool]
) -> None:
    words = [address, *(["--protocol", protocol] if protocol else [])]
    options = command.make_context("stress", words).params
    del options["plot"], options["as_json"]
    load = load_of(**options)
    assert (load.protocol, load.port, load.tls) == meant


def test_few_processes_make_small_loads() -> None:
    assert usual_processes(500, None) == 1
    assert usual_processes(1, 100_000.0) == 1
    assert 1 <= usual_processes(5000, None) <= 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["127.0.0.1:1", "--protocol", "digit"], "Did you mean 'digits'"),
        (["127.0.0.1:99999", "--protocol", "digits"], "Ports go up to 65535"),
        (["127.0.0.1:1", "--protocol", "digits", "--plot", "load.png"], "is an SVG file"),
        (["127.0.0.1:1", "--protocol", "digits", "--rate", "nan"], "nan"),
        (["127.0.0.1:1"], "--protocol"),
        (["tls://127.0.0.1:1"], "--protocol"),
        (["http://127.0.0.1:1", "--protocol", "digits"], "http:// is no address of the protocol digits"),
    ],
)
def test_mistakes_on_the_command_line_are_named(words: list[str], reason: str) -> None:
    done = subprocess.run([EDGERIG, "stress", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
