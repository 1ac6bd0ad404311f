import socket
import time

import pytest
from tests.agents import serving

from edgerig.agent import server, visit
from edgerig.agent.server import Address, Agent, parse_address
from edgerig.errors import SpecError, UnknownNameError, UsageError
from edgerig.wire import messages
from edgerig.wire.frame import FrameReader, Kind, encode
from edgerig.wire.link import TcpLink
from edgerig.wire.messages import Failure, Hello, pack

HELLO = b"".join(encode(Kind.HELLO, 1, pack(Hello(1, "test", 1000, 1000))))


def connect(agent: Agent) -> socket.socket:
    return socket.create_connection((agent.address.host, agent.address.port), 10)


def failure(connected: socket.socket) -> Failure:
    frame = FrameReader(TcpLink(connected)).read()
    assert frame.kind == Kind.ERROR
    return messages.unpack(frame.header, Failure)


def still_serves(agent: Agent) -> bool:
    with connect(agent) as connected:
        connected.sendall(HELLO)
        return FrameReader(TcpLink(connected)).read().kind == Kind.OK


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7433", Address("127.0.0.1", 7433)),
        ("tcp://pi:1", Address("pi", 1)),
        ("localhost", Address("localhost", 7433)),
        ("[::1]:7000", Address("::1", 7000)),
        ("[::1]", Address("::1", 7433)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
    ],
)
def test_addresses_are_read(text, address):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("text", ["", ":7433", "pi:", "pi:-1", "pi:65536", "pi:7433/x", "::1:7433", "pi:٣", "a@b:1"])
def test_malformed_addresses_are_refused(text):
    with pytest.raises(SpecError):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("raspberrypi", False),
        ("localhost.example", False),
    ],
)
def test_only_loopback_is_taken_for_loopback(host, loopback):
    assert Address(host, 1).loopback is loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4"])
def test_other_addresses_than_loopback_need_a_word(host):
    with pytest.raises(UsageError, match="other machines") as caught:
        Agent(Address(host, 0))
    assert "--insecure" in caught.value.hint
    assert "ssh -L" in caught.value.hint


def test_insecure_listens_everywhere():
    agent = Agent(Address("0.0.0.0", 0), insecure=True)
    assert agent.address.port
    agent.close()


def test_taken_port_is_told(agent):
    with pytest.raises(UsageError, match="Cannot listen"):
        Agent(agent.address)


def test_hello_is_answered_without_a_process(agent, monkeypatch):
    monkeypatch.setattr(visit, "WorkerProcess", None)
    assert still_serves(agent)


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n" * 5000, b"\0" * 100_000, b"\x16\x03\x01" * 40_000])
def test_garbage_is_answered_with_an_error_and_costs_no_process(agent, first, monkeypatch):
    monkeypatch.setattr(visit, "WorkerProcess", None)
    with connect(agent) as connected:
        connected.sendall(first)
        assert failure(connected).code == messages.BAD_FRAME
    assert still_serves(agent)


def test_session_that_does_not_begin_with_hello_is_refused(agent):
    with connect(agent) as connected:
        connected.sendall(b"".join(encode(Kind.STATS, 1)))
        assert "begins with HELLO" in failure(connected).message


def test_large_frame_before_hello_is_refused(agent):
    with connect(agent) as connected:
        connected.sendall(b"".join(encode(Kind.HELLO, 1, b"", [memoryview(bytes(100_000))])))
        assert "limit" in failure(connected).message


def test_client_that_says_nothing_is_closed_and_does_not_hold_the_device(agent, monkeypatch):
    monkeypatch.setattr(server, "HELLO_SECONDS", 2.0)
    with connect(agent) as silent:
        assert still_serves(agent)
        assert silent.recv(1) == b""


def test_client_that_stops_in_the_middle_of_hello_is_closed(agent, monkeypatch):
    monkeypatch.setattr(server, "HELLO_SECONDS", 2.0)
    with connect(agent) as slow:
        slow.sendall(HELLO[:20])
        assert slow.recv(1) == b""
    assert still_serves(agent)


def test_client_that_greets_and_falls_silent_is_closed_after_the_idle_time(monkeypatch):
    with serving(Agent(Address("127.0.0.1", 0), idle=0.3)) as agent:
        with connect(agent) as connected:
            connected.sendall(HELLO)
            reader = FrameReader(TcpLink(connected))
            assert reader.read().kind == Kind.OK
            with pytest.raises(ConnectionError):
                reader.read()
        assert still_serves(agent)


def test_session_that_falls_silent_is_closed_by_its_worker(content, header):
    from edgerig.testing import faults
    from edgerig.wire.client import WireClient

    with serving(Agent(Address("127.0.0.1", 0), idle=1.0, runtimes=(faults.NAME,))) as agent:
        with connect(agent) as connected:
            client = WireClient(TcpLink(connected), who="the agent", timeout=10)
            client.hello()
            client.upload_model(header(), content)
            assert "no request came" in failure(connected).message
        assert still_serves(agent)


def test_clients_that_vanish_at_once_leave_the_agent_alive(agent):
    for number in range(30):
        with connect(agent) as connected:
            connected.sendall(HELLO[:number])
    deadline = time.monotonic() + 10
    while agent._threads and time.monotonic() < deadline:
        time.sleep(0.02)
    assert still_serves(agent)


def test_stopping_in_the_middle_of_a_session_ends_its_worker(agent, header, content):
    from pathlib import Path

    from edgerig.wire.client import WireClient

    with connect(agent) as connected:
        client = WireClient(TcpLink(connected), who="the agent", timeout=10)
        client.hello()
        client.upload_model(header(), content)
        (worker,) = agent._host.workers
        agent.stop()
        with pytest.raises(ConnectionError):
            FrameReader(TcpLink(connected)).read()
        deadline = time.monotonic() + 10
        while agent._host.workers and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not Path(f"/proc/{worker.pid}").exists()
        assert not worker.folder.exists()


@pytest.mark.parametrize(
    ("runtime", "hint"),
    [("stranger:Net", "edgerig agent --runtime stranger:Net"), ("litert", "Known: edgerig.")],
)
def test_how_a_runtime_of_the_users_own_is_allowed_is_said_to_its_client(agent, header, content, runtime, hint):
    from edgerig.testing import faults
    from edgerig.wire.client import WireClient

    with connect(agent) as connected:
        client = WireClient(TcpLink(connected), who="the agent", timeout=10)
        client.hello()
        with pytest.raises(UnknownNameError, match=f"Unknown runtime '{runtime}'") as caught:
            client.upload_model(header(runtime=runtime), content)
    assert hint in caught.value.hint
    assert faults.NAME in caught.value.hint, "what it takes as it is"
