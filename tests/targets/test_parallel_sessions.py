"""Several sessions of one run on one agent, over real sockets: each has a process of its own, and none waits."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest

from edgerig.errors import EdgerigError, IncompatibleError, LeaseError, TargetError
from edgerig.targets.base import Session
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.wire.client import WireClient
from edgerig.wire.link import connect_tcp
from edgerig.wire.ownership import Owner


@contextlib.contextmanager
def agent_process(listen: str, *options: str) -> Iterator[tuple[str, psutil.Process]]:
    """``edgerig agent`` in a process of its own: its address, and the process."""
    words = [sys.executable, "-m", "edgerig", "agent", "--listen", listen, "--runtime", faults.NAME, *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().split()[-1], psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(params=["tcp", "unix"])
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, psutil.Process]]:
    listen = "127.0.0.1:0" if request.param == "tcp" else f"unix://{tmp_path}/agent.sock"
    with agent_process(listen, "--streams", "3") as started:
        yield started


@pytest.fixture
def owned() -> Iterator[Any]:
    targets = []

    def make(address: str) -> Any:
        targets.append(target_for(str(address), {"timeout": 30}))
        return targets[-1]

    yield make
    for target in targets:
        target.close()


def running(agent: Any) -> set[int]:
    """The processes of an agent's sessions that are there."""
    return {worker.pid for worker in agent._host.workers if Path(f"/proc/{worker.pid}").exists()}


def three(target: Any, faulty: Any) -> list[Session]:
    target.check()
    target.allow_sessions(3)
    return [target.open(faulty, faults.NAME, {}) for _ in range(3)]


@pytest.mark.slow
def test_sessions_of_a_run_are_processes_of_their_own_and_run_at_once(agent, owned, faulty, x) -> None:
    address, process = agent
    target = owned(address)
    sessions = three(target, faulty)
    assert len(process.children()) == 3
    assert len({session.client.device.grant.fence for session in sessions}) == 1, "one run, one lease"
    with pytest.raises(TargetError, match="this run has 3 sessions there already"):
        target.open(faulty, faults.NAME, {})
    # All have begun before any may end: each waits for the others in the middle of its samples.
    met = threading.Barrier(3, timeout=60)
    results: list[Any] = [None] * 3

    def run(number: int) -> None:
        seen = []

        def advance(count: int) -> None:
            if not seen:
                met.wait()
            seen.append(count)

        results[number] = sessions[number].run([np.full((40, 4), number, np.float32)], advance)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result.outputs[0].reshape(40, 4), np.full((40, 4), 2 * number))
    sessions[1].close()
    again = target.open(faulty, faults.NAME, {})
    for session in (sessions[0], again, sessions[2]):
        assert len(session.run(x).times_ns) == 5


@pytest.mark.slow
def test_others_are_kept_out_as_by_one_session(agent, owned, faulty) -> None:
    ann, bob = owned(agent[0]), owned(agent[0])
    three(ann, faulty)
    with pytest.raises(LeaseError, match="has it, with lease"):
        bob.check()
    ann.close()
    bob.check()
    assert bob.open(faulty, faults.NAME, {}).alive


def test_more_sessions_than_an_agent_serves_are_refused_with_the_way_out(agent, owned) -> None:
    with pytest.raises(IncompatibleError) as caught:
        owned(agent[0]).allow_sessions(4)
    assert "serves 3 sessions of a run at once, and 4 were asked for" in caught.value.message
    assert "--streams 4" in (caught.value.hint or "")


class GrantOfBefore(msgspec.Struct, frozen=True, array_like=True):
    """What an agent granted when it served one session of a run."""

    fence: int
    seconds: float
    max_model: int = 0
    proof: bytes = b""


def test_an_agent_from_before_is_named_and_goes_on_with_one_session(
    start_agent, owned, faulty, x, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerig.agent.server.Grant", lambda *fields: GrantOfBefore(*fields[:4]))
    target = owned(start_agent(runtimes=(faults.NAME,)).address)
    with pytest.raises(
        IncompatibleError, match=r"runs edgerig \S+, which serves one session of a run at a time"
    ) as caught:
        target.allow_sessions(2)
    assert "Install this edgerig there" in (caught.value.hint or "")
    target.allow_sessions(1)
    with target.open(faulty, faults.NAME, {}) as session:
        assert len(session.run(x).times_ns) == 5


@pytest.mark.slow
def test_a_session_whose_link_died_unnoticed_is_replaced_and_the_others_live(start_agent, owned, faulty, x) -> None:
    agent = start_agent(runtimes=(faults.NAME,))
    target = owned(agent.address)
    first, second, third = three(target, faulty)
    before = running(agent)
    # The host gave the link up; the agent has heard nothing of that, and its socket stays open.
    second.client.broken = True
    again = target.open(faulty, faults.NAME, {})
    now = running(agent)
    assert (len(now), len(now & before)) == (3, 2)
    for session in (first, again, third):
        assert len(session.run(x).times_ns) == 5
    second.close()


@pytest.mark.slow
def test_a_single_session_does_not_share_the_device_with_what_is_left_of_several(start_agent, owned, faulty, x) -> None:
    agent = start_agent(runtimes=(faults.NAME,))
    target = owned(agent.address)
    left = three(target, faulty)
    for session in left:
        session.client.broken = True
    with target.open(faulty, faults.NAME, {}) as session:
        assert len(running(agent)) == 1
        assert len(session.run(x).times_ns) == 5
    for each in left:
        each.close()


@pytest.mark.parametrize("number", [8, -1, 2**40])
def test_a_number_beyond_what_was_granted_is_refused_and_starts_nothing(start_agent, number: int) -> None:
    agent = start_agent()
    client = WireClient(connect_tcp("127.0.0.1", agent.address.port, 5), who="the agent", timeout=10)
    with pytest.raises(EdgerigError, match=f"Session {number} was asked for, and this agent serves 8"):
        client.hello(Owner("k" * 32, "me", session=number))
    client.close()
    assert not agent._host.workers


@pytest.mark.slow
def test_each_session_proves_that_it_knows_the_token(start_agent, faulty, x, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a secret of more than 16 characters")
    token.chmod(0o600)
    agent = start_agent(runtimes=(faults.NAME,), token=token.read_bytes())
    target = target_for(str(agent.address), {"timeout": 30, "token_file": str(token)})
    try:
        sessions = three(target, faulty)
        assert len(running(agent)) == 3
        assert [len(session.run(x).times_ns) for session in sessions] == [5, 5, 5]
    finally:
        target.close()


def test_a_target_of_one_session_refuses_several() -> None:
    target = target_for("serial:///dev/null", {})
    with pytest.raises(IncompatibleError, match="holds a single session for a run, and 2 were asked for"):
        target.allow_sessions(2)
    target.allow_sessions(1)
    target_for("local", {}).allow_sessions(5)
