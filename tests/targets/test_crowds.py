"""Crowds at an agent's door: whoever says nothing, or too little, keeps nobody out who may come in."""

import contextlib
import os
import resource
import socket
import ssl
import time
from pathlib import Path

import pytest

from edgerig.agent import admission, callers
from edgerig.agent.keys import make_keys
from edgerig.agent.server import Agent
from edgerig.errors import LeaseError
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.wire import messages
from edgerig.wire.client import WireClient
from edgerig.wire.frame import FrameReader, Kind, encode
from edgerig.wire.link import TcpLink
from edgerig.wire.messages import Hello, pack
from edgerig.wire.ownership import Owner
from edgerig.wire.tls import device_context

TOKEN = "correct horse battery staple"
HELLO = b"".join(encode(Kind.HELLO, 1, pack(Hello(1, "test", 1000, 1000, owner=Owner("eve")))))
#: What strangers say before they fall silent.
SAID = {"nothing": b"", "half a HELLO": HELLO[:40], "a HELLO without a proof": HELLO}


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    make_keys(folder, ["localhost", "127.0.0.1"], ["desk"])
    return folder


@pytest.fixture
def token_file(tmp_path) -> str:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def crowd():
    """Connects so many strangers, from an address of this machine, and keeps them to the end of the test."""
    with contextlib.ExitStack() as stack:

        def come(agent: Agent, count: int, says: bytes = b"", source: str = "127.0.0.1") -> list[socket.socket]:
            place = (agent.address.host, agent.address.port)
            made = [
                stack.enter_context(socket.create_connection(place, 10, source_address=(source, 0)))
                for _ in range(count)
            ]
            for one in made:
                with contextlib.suppress(OSError):  # it may have had to go already
                    one.sendall(says)
            return made

        yield come


def runs(agent: Agent, artifact, x, **settings) -> bool:
    target = target_for(str(agent.address), settings)
    try:
        with target.open(artifact, faults.NAME, {}) as session:
            return len(session.run(x).times_ns) == len(x[0])
    finally:
        target.close()


def eventually(condition) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.slow
@pytest.mark.parametrize("says", SAID)
@pytest.mark.parametrize("count", [20, 200])
def test_strangers_keep_no_owner_of_the_token_out(start_agent, crowd, token_file, faulty, x, says, count):
    agent = start_agent(token=TOKEN.encode(), runtimes=(faults.NAME,))
    crowd(agent, count, SAID[says])
    # All of them are still there, and nobody's time has run out: the owner has a way in all the same.
    assert runs(agent, faulty, x, token_file=token_file)
    crowd(agent, count, SAID[says])
    assert runs(agent, faulty, x, token_file=token_file)


@pytest.mark.parametrize("says", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_half_handshakes_keep_no_host_with_a_certificate_out(start_agent, crowd, lab, faulty, x, says):
    agent = start_agent(tls=device_context(lab / "agent-localhost"), runtimes=(faults.NAME,))
    crowd(agent, 100, says)
    assert runs(agent, faulty, x, tls=str(lab / "client-desk"))


def test_whole_handshakes_without_a_hello_keep_nobody_out(start_agent, crowd, lab, faulty, x):
    agent = start_agent(tls=device_context(lab / "agent-localhost"), runtimes=(faults.NAME,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(lab / "ca" / "ca.pem")
    context.load_cert_chain(lab / "client-desk" / "cert.pem", lab / "client-desk" / "key.pem")
    with contextlib.ExitStack() as stack:
        for one in crowd(agent, 20):
            with contextlib.suppress(OSError):
                stack.enter_context(context.wrap_socket(one, server_hostname="localhost"))
        assert runs(agent, faulty, x, tls=str(lab / "client-desk"))


def test_strangers_threads_and_descriptors_are_bounded(start_agent, crowd):
    agent = start_agent(token=TOKEN.encode())
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths
    theirs = crowd(agent, 300)
    assert eventually(lambda: len(agent._threads) == callers.MAX_OF_ADDRESS)
    assert agent._callers.strangers == callers.MAX_OF_ADDRESS
    # Ours are two a stranger; theirs are in this process, too.
    assert len(os.listdir("/proc/self/fd")) - before - len(theirs) <= 2 * callers.MAX_OF_ADDRESS + 2  # noqa: PTH208


def test_those_that_had_to_go_are_told(start_agent, crowd):
    said = []
    agent = start_agent(log=said.append)
    first, *_ = crowd(agent, callers.MAX_OF_ADDRESS + 1)
    frame = FrameReader(TcpLink(first)).read()
    assert frame.kind == Kind.ERROR
    with pytest.raises(LeaseError, match="Too many connections"):
        raise messages.error_of(messages.unpack(frame.header, messages.Failure))
    assert first.recv(1) == b""
    assert eventually(lambda: sum("too many connections" in text for text in said) == 1)


def test_crowd_of_one_address_costs_those_of_another_nothing(start_agent, crowd):
    agent = start_agent(token=TOKEN.encode())
    (quiet,) = crowd(agent, 1, source="127.0.0.1")
    assert eventually(lambda: agent._callers.strangers == 1)
    crowd(agent, 100, source="127.0.0.2")
    quiet.sendall(HELLO)
    # It was there before all of them, and is still asked for the token.
    assert FrameReader(TcpLink(quiet)).read().kind == Kind.ERROR
    quiet.setblocking(False)
    with pytest.raises(BlockingIOError):
        quiet.recv(1)


def test_many_addresses_are_bounded_all_together(start_agent, crowd, token_file):
    agent = start_agent(token=TOKEN.encode())
    for number in range(2, 22):
        crowd(agent, 10, source=f"127.0.0.{number}")
    assert eventually(lambda: len(agent._threads) <= callers.MAX_STRANGERS)
    target = target_for(str(agent.address), {"token_file": token_file})
    target.check()
    target.close()


def test_wrong_tokens_in_a_row_keep_nobody_out(start_agent, crowd, token_file, monkeypatch):
    """A wrong one costs its sender a second; a hundred of them do not cost the owner a hundred."""
    monkeypatch.setattr(admission, "PENALTY", 60.0)
    agent = start_agent(token=TOKEN.encode())
    wrong = pack(Hello(1, "test", 1000, 1000, owner=Owner("eve", nonce=bytes(32), proof=bytes(32))))
    crowd(agent, 100, HELLO + b"".join(encode(Kind.HELLO, 2, wrong)))
    target = target_for(str(agent.address), {"token_file": token_file})
    target.check()
    target.close()
    assert len(agent._threads) <= 2 * callers.MAX_OF_ADDRESS


def keep(agent: Agent, owner: Owner) -> WireClient:
    link = TcpLink(socket.create_connection((agent.address.host, agent.address.port), 10))
    client = WireClient(link, who="the device", timeout=10)
    client.hello(owner)
    return client


@pytest.mark.slow
@pytest.mark.parametrize("keeper", [True, False])
def test_many_connections_of_one_owner_do_not_fill_the_agent(start_agent, faulty, x, keeper):
    agent = start_agent(runtimes=(faults.NAME,), sessions=2)
    clients = [keep(agent, Owner("x" * 32, "greedy", keeper=keeper)) for _ in range(64)]
    assert eventually(lambda: len(agent._threads) <= callers.MAX_OF_OWNER)
    # The last ones still work, and another owner has the other place.
    if keeper:
        clients[-1].renew_lease()
    assert runs(agent, faulty, x)
    for client in clients:
        client.close()


@pytest.mark.slow
def test_session_that_runs_is_not_ended_by_keepers_of_its_owner(start_agent, faulty, x):
    agent = start_agent(runtimes=(faults.NAME,))
    target = target_for(str(agent.address))
    with target.open(faulty, faults.NAME, {}) as session:
        owner = target._lease_holder._owner
        clients = [keep(agent, Owner(owner.id, owner.who, owner.fence, keeper=True)) for _ in range(40)]
        assert len(session.run(x).times_ns) == 5
    for client in clients:
        client.close()
    target.close()


def test_log_of_an_agent_is_not_filled_by_strangers(start_agent):
    said = []
    agent = start_agent(token=TOKEN.encode(), log=said.append)
    for _ in range(200):
        with socket.create_connection((agent.address.host, agent.address.port), 10) as one:
            one.sendall(b"\x1b[31m" + b"A" * 200)
    assert eventually(lambda: not agent._threads)
    assert len(said) <= 31
    assert sum(map(len, said)) < 31 * 400
    assert not any("\x1b" in text for text in said)


def test_agent_without_descriptors_goes_on_when_there_are_some_again(start_agent, crowd):
    agent = start_agent()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208
    theirs = crowd(agent, 4)
    assert eventually(lambda: agent._callers.strangers == 4)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 6, hard))
    try:
        with contextlib.suppress(OSError):
            crowd(agent, 20)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for one in theirs:
        one.close()
    target = target_for(str(agent.address))
    target.check()
    target.close()
