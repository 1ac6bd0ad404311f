"""Runs that share a device: one after another, side by side, stale, stopped, and over the agent's own death."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edgerig.agent.tls_relay import relay
from edgerig.errors import LeaseError, TargetError
from edgerig.targets.remote import lease_holder
from edgerig.targets.resolve import target_for
from edgerig.testing import faults


def eventually(condition, seconds=15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def owned():
    """Makes targets that are closed after the test."""
    made = []

    def make(address, **settings):
        made.append(target_for(str(address), settings))
        return made[-1]

    yield make
    for target in made:
        target.close()


@pytest.fixture(autouse=True)
def short_handover(monkeypatch):
    monkeypatch.setattr("edgerig.agent.lease.HANDOVER_SECONDS", 1.0)


class AgentProcess:
    """``edgerig agent`` in a process of its own, that can be killed and started again at the same address."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.options = ["--folder", str(folder), "--runtime", faults.NAME, *options]
        self.address = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "edgerig", "agent", "--listen", self.address.removeprefix("tcp://")]
        self.process = subprocess.Popen(
            [*words, *self.options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self.process.stdout.readline().split()[-1]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def agent_process(tmp_path):
    started = []

    def start(*options: str) -> AgentProcess:
        started.append(AgentProcess(tmp_path / "device", *options))
        return started[-1]

    yield start
    for agent in started:
        if agent.process.poll() is None:
            agent.kill()


@pytest.mark.slow
def test_run_owns_the_device_from_check_to_close_with_no_session_at_all(start_agent, owned, faulty, x):
    agent = start_agent(runtimes=(faults.NAME,))
    ann, bob = owned(agent.address), owned(agent.address)
    ann.check()
    for attempt in (bob.check, lambda: bob.open(faulty, faults.NAME, {})):
        with pytest.raises(LeaseError, match=rf"process {os.getpid()} has it, with lease \d+, until .* UTC"):
            attempt()
    for _ in range(3):
        with ann.open(faulty, faults.NAME, {}) as session:
            assert len(session.run(x).times_ns) == 5
    with pytest.raises(LeaseError):
        bob.check()
    ann.close()
    bob.check()


@pytest.mark.slow
def test_all_sessions_of_a_run_have_one_number_and_the_next_run_a_larger_one(start_agent, owned, faulty):
    agent = start_agent(runtimes=(faults.NAME,))
    numbers = []
    for _ in range(2):
        target = owned(agent.address)
        for _ in range(2):
            with target.open(faulty, faults.NAME, {}) as session:
                numbers.append(session.client.device.grant.fence)
        target.close()
    assert numbers[0] == numbers[1] < numbers[2] == numbers[3]


def test_target_that_is_forgotten_does_not_hold_the_device(start_agent):
    agent = start_agent()
    target_for(str(agent.address)).check()
    target = target_for(str(agent.address))
    target.check()
    target.close()


@pytest.mark.slow
def test_session_keeps_its_forgotten_target_and_with_it_the_lease(start_agent, owned, faulty, x):
    agent = start_agent(runtimes=(faults.NAME,), lease=1.0)
    session = target_for(str(agent.address)).open(faulty, faults.NAME, {})
    time.sleep(1.5)
    with pytest.raises(LeaseError):
        owned(agent.address).check()
    assert len(session.run(x).times_ns) == 5
    session.close()


@pytest.mark.slow
def test_lease_is_renewed_for_longer_than_it_lasts(start_agent, owned, faulty, x):
    agent = start_agent(runtimes=(faults.NAME,), lease=1.0)
    ann, bob = owned(agent.address), owned(agent.address)
    session = ann.open(faulty, faults.NAME, {})
    for _ in range(4):
        time.sleep(0.5)
        with pytest.raises(LeaseError):
            bob.check()
    assert len(session.run(x).times_ns) == 5


@pytest.mark.slow
def test_waiting_run_says_so_once_and_gets_the_device_when_the_other_is_done(start_agent, owned, monkeypatch, caplog):
    monkeypatch.setattr(lease_holder, "_RETRY", 0.1)
    agent = start_agent()
    ann, bob = owned(agent.address), owned(agent.address, wait=30)
    ann.check()
    threading.Timer(1.5, ann.close).start()
    bob.check()
    assert caplog.text.count("Waiting for it, 30 s at most.") == 1


@pytest.mark.slow
def test_run_waits_for_the_lease_of_an_owner_that_is_gone(agent_process, owned):
    agent = agent_process("--lease", "2")
    code = (
        "import sys, os; from edgerig.targets.resolve import target_for\n"
        "target = target_for(sys.argv[1]); target.check(); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, agent.address], check=False).returncode == -signal.SIGKILL
    owned(agent.address).check()


@pytest.mark.slow
def test_run_that_is_stopped_loses_the_device_and_is_refused_when_it_goes_on(agent_process, owned, faulty, x, tmp_path):
    agent = agent_process("--lease", "1")
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from edgerig.errors import TargetError\n"
        "from edgerig.targets.resolve import target_for\n"
        "from edgerig.testing import faults\n"
        "target, artifact = target_for(sys.argv[1]), faults.any_artifact(Path(sys.argv[2]))\n"
        "session = target.open(artifact, faults.NAME, {})\n"
        "print('open', flush=True); sys.stdin.readline()\n"
        "for attempt in (lambda: session.run([np.zeros((5, 4), np.float32)]),\n"
        "                lambda: target.open(artifact, faults.NAME, {})):\n"
        "    try:\n"
        "        attempt(); print('done', flush=True)\n"
        "    except TargetError as error:\n"
        "        print(type(error).__name__, error.message, flush=True)\n"
        "    session.close()\n"
    )
    (tmp_path / "stale").mkdir()
    words = [sys.executable, "-c", code, agent.address, str(tmp_path / "stale")]
    stale = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert stale.stdout.readline() == "open\n"
        stale.send_signal(signal.SIGSTOP)
        target = owned(agent.address, wait=20)
        with target.open(faulty, faults.NAME, {}) as session:
            assert len(session.run(x).times_ns) == 5
            stale.send_signal(signal.SIGCONT)
            told, _ = stale.communicate("\n", timeout=30)
            assert len(session.run(x).times_ns) == 5
    finally:
        stale.kill()
        stale.wait()
    first, second = told.splitlines()
    mine = f"process {os.getpid()}"
    assert first.startswith("LeaseError ")
    assert "The device has passed to" in first
    assert mine in first
    assert second.startswith("LeaseError ")
    assert "The device has passed to" in second
    assert mine in second


@pytest.mark.slow
def test_run_goes_on_under_its_number_when_the_agent_was_killed_and_nobody_else_gets_in(
    agent_process, owned, faulty, x
):
    agent = agent_process("--lease", "20")
    ann, bob = owned(agent.address), owned(agent.address)
    with ann.open(faulty, faults.NAME, {}) as session:
        before = session.client.device.grant.fence
        agent.kill()
        with pytest.raises(TargetError, match="went away"):
            session.run(x)
    agent.start()
    with pytest.raises(LeaseError, match=f"lease {before}"):
        # Ten seconds would be waited for a lease that nobody renews; this one is renewed meanwhile.
        bob._owner()._hello(keeper=True)
    with ann.open(faulty, faults.NAME, {}) as session:
        assert session.client.device.grant.fence == before
        assert len(session.run(x).times_ns) == 5
    ann.close()
    bob.check()


@pytest.mark.slow
def test_keeper_comes_back_by_itself_when_the_agent_was_killed(agent_process, owned):
    agent = agent_process("--lease", "2")
    ann, bob = owned(agent.address), owned(agent.address)
    ann.check()
    agent.kill()
    agent.start()
    time.sleep(3)
    with pytest.raises(LeaseError, match="has it"):
        bob.check()


@pytest.mark.slow
def test_lease_lost_over_the_agents_death_stays_lost(agent_process, owned, faulty, monkeypatch):
    agent = agent_process("--lease", "1")
    ann, bob = owned(agent.address), owned(agent.address)
    ann.check()
    fence = ann._lease_holder._owner.fence
    monkeypatch.setattr(lease_holder.LeaseRenewer, "_renew", lambda self: None)
    time.sleep(1.5)
    bob.check()
    agent.kill()
    agent.start()
    with pytest.raises(LeaseError, match=rf"lease {fence} of this run has run out") as caught:
        ann.open(faulty, faults.NAME, {})
    assert caught.value.retry_after is None
    assert f"with lease {fence + 1}" in caught.value.message


def test_link_that_died_unnoticed_does_not_keep_its_own_run_out(start_agent, owned, faulty, x):
    agent = start_agent(runtimes=(faults.NAME,))
    target = owned(agent.address)
    dead = target.open(faulty, faults.NAME, {})
    (worker,) = agent._host.workers
    # The host gave the link up; the agent has heard nothing of that, and its socket stays open.
    dead.client.broken = True
    with target.open(faulty, faults.NAME, {}) as session:
        assert not Path(f"/proc/{worker.pid}").exists()
        assert len(session.run(x).times_ns) == 5
    dead.close()


@pytest.mark.slow
def test_sessions_side_by_side_have_leases_of_their_own(start_agent, owned, faulty, x):
    agent = start_agent(runtimes=(faults.NAME,), sessions=2)
    targets = [owned(agent.address) for _ in range(3)]
    sessions = [target.open(faulty, faults.NAME, {}) for target in targets[:2]]
    assert len({session.client.device.grant.fence for session in sessions}) == 2
    assert len({worker.pid for worker in agent._host.workers}) == 2
    with pytest.raises(LeaseError, match="busy"):
        targets[2].check()
    results = []
    threads = [
        threading.Thread(target=lambda s=s: results.append(s.run([np.ones((300, 4), np.float32)]))) for s in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(result.times_ns) for result in results] == [300, 300]
    targets[0].close()
    targets[2].check()
    assert len(sessions[1].run(x).times_ns) == 5


def test_two_agents_cannot_share_a_folder(agent_process, tmp_path):
    agent_process()
    words = [sys.executable, "-m", "edgerig", "agent", "--listen", "127.0.0.1:0", "--folder", str(tmp_path / "device")]
    second = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2
    assert "Another agent uses" in second.stderr


def test_what_a_killed_agent_left_is_cleared_away(agent_process, tmp_path):
    agent = agent_process()
    agent.kill()
    left = tmp_path / "device" / "edgerig-left"
    left.mkdir()
    (left / "network.tflite").write_bytes(b"x")
    (tmp_path / "device" / "mine").mkdir()
    agent.start()
    assert not left.exists()
    assert (tmp_path / "device" / "mine").exists()


def test_connection_that_keeps_a_lease_takes_no_other_message(start_agent):
    from edgerig.wire.client import WireClient
    from edgerig.wire.frame import Kind
    from edgerig.wire.link import connect_tcp
    from edgerig.wire.ownership import Owner

    agent = start_agent()
    client = WireClient(connect_tcp("127.0.0.1", agent.address.port, 5), who="the agent", timeout=10)
    client.hello(Owner("k" * 32, "me", keeper=True))
    client.renew_lease()
    with pytest.raises(TargetError, match="keeps a lease"):
        client.request(Kind.STATS)
    client.close()


def test_peer_that_vanished_is_noticed_by_the_kernel_in_bounded_time(start_agent, owned, faulty):
    """What the bound in the manual rests on: keepalive for a silent link, a user timeout for one that is sent to."""
    import socket

    agent = start_agent(runtimes=(faults.NAME,))
    target = owned(agent.address)
    with target.open(faulty, faults.NAME, {}) as session:
        connected = session.client.link.socket
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, every, count = (
            connected.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + every * count <= 20
        assert 0 < connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 20_000


# ---- the relay behind TLS


def test_relay_ends_when_the_worker_ends_and_passes_its_last_words():
    import socket

    outer, host = socket.socketpair()
    inner, worker = socket.socketpair()
    thread = threading.Thread(target=relay, args=(outer, inner))
    thread.start()
    received = bytearray()
    reader = threading.Thread(target=lambda: [received.extend(part) for part in iter(lambda: host.recv(65536), b"")])
    reader.start()
    worker.sendall(b"last words" * 100_000)
    worker.close()
    thread.join(10)
    assert not thread.is_alive()
    outer.close()
    reader.join(10)
    assert len(received) == 1_000_000
    for end in (host, inner):
        end.close()


def test_relay_moves_both_ways_at_once_when_both_sides_are_slow():
    import socket

    outer, host = socket.socketpair()
    inner, worker = socket.socketpair()
    for end in (outer, host, inner, worker):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    relaying = threading.Thread(target=relay, args=(outer, inner))
    relaying.start()
    data = np.random.default_rng(3).bytes(1_000_000)
    got = {}

    def send(end):
        end.sendall(data)

    def receive(end, name):
        parts = bytearray()
        while len(parts) < len(data):
            parts += end.recv(1000)
        got[name] = bytes(parts)

    threads = [
        threading.Thread(target=work)
        for work in (lambda: send(host), lambda: send(worker), lambda: receive(host, "h"), lambda: receive(worker, "w"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    host.close()
    relaying.join(10)
    assert not relaying.is_alive()
    assert got == {"h": data, "w": data}
    for end in (outer, inner, worker):
        end.close()


def test_relay_ends_when_it_is_stopped():
    import socket

    outer, host = socket.socketpair()
    inner, worker = socket.socketpair()
    stopped = threading.Event()
    thread = threading.Thread(target=relay, args=(outer, inner, stopped.is_set))
    thread.start()
    stopped.set()
    thread.join(10)
    assert not thread.is_alive()
    for end in (outer, host, inner, worker):
        end.close()
