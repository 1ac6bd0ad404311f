"""Samples through a ring of shared memory come back as their own results, whatever becomes of the process behind it."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.fragile import DEADLY, ENDLESS, REFUSED

from edgerig.errors import AnswerError, EdgerigError, TargetError
from edgerig.models.files import open_artifact
from edgerig.targets.remote import ring_runs
from edgerig.targets.remote.ring_runs import SLOTS, Ran, RingRuns
from edgerig.targets.remote.session import WireSession
from edgerig.targets.resolve import target_for
from edgerig.testing import networks
from edgerig.wire.frame import Kind
from edgerig.wire.link import PairLink
from edgerig.wire.messages import Unsupported, pack
from edgerig.wire.ring import BEGUN_AT, RingHeader, available, new_memory

pytestmark = pytest.mark.skipif(not available(), reason="no sealed memory or eventfd on this system")
ROWS = 4


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return networks.dense_tflite(tmp_path / "net.tflite")


@pytest.fixture
def session(net: Path) -> Iterator[WireSession]:
    target = target_for("local")
    with target.open(open_artifact(net), "tests.serve.fragile:Fragile", {}) as opened:
        assert isinstance(opened, WireSession)
        yield opened
    target.close()


def samples(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


def expected(x: Any) -> Any:
    weights, bias = networks.dense_weights(8, 4)
    powers = np.exp(x @ weights.T + bias)
    return powers / powers.sum(axis=1, keepdims=True)


def collect(runs: RingRuns, count: int) -> list[Ran | EdgerigError]:
    """The next ``count`` results."""
    ended: list[Ran | EdgerigError] = []
    while len(ended) < count:
        ready, _, _ = select.select([runs.fd, runs.lost_fd], [], [], 60)
        assert ready, "nothing came"
        if runs.lost_fd in ready:
            ended += runs.receive()
            raise runs.loss()
        ended += runs.receive()
    return ended


def check(ran: Ran | EdgerigError, x: Any) -> None:
    assert isinstance(ran, Ran)
    np.testing.assert_allclose(ran.outputs[0], expected(x), rtol=1e-4, atol=1e-6)
    assert len(ran.times_ns) == len(x)
    assert (ran.times_ns > 0).all()


@pytest.mark.slow
def test_thousands_of_requests_of_all_sizes_come_back_in_order_each_with_its_own_results(session: WireSession) -> None:
    runs = RingRuns(session, ROWS)
    draw = np.random.default_rng(1)
    given = [samples(int(draw.integers(1, 3 * ROWS)), seed) for seed in range(3000)]
    begun = 0
    results: list[Ran | EdgerigError] = []
    while len(results) < len(given):
        # More under way than there are slots, and never the same number.
        while begun < len(given) and begun - len(results) < 1 + begun % 9:
            runs.begin([given[begun]])
            begun += 1
        results += collect(runs, 1)
    assert len(results) == len(given) > 100 * SLOTS
    for ran, x in zip(results, given, strict=True):
        check(ran, x)
    runs.close()


def test_more_samples_than_all_slots_hold_are_run_in_turns(session: WireSession) -> None:
    runs = RingRuns(session, ROWS)
    x = samples(3 * SLOTS * ROWS + 1)
    runs.begin([x])
    runs.begin([x[:1]])
    first, second = collect(runs, 2)
    check(first, x)
    check(second, x[:1])
    runs.close()


def test_a_sample_that_the_engine_refuses_fails_its_request_and_no_other(session: WireSession) -> None:
    runs = RingRuns(session, ROWS)
    bad = samples(3 * SLOTS * ROWS)
    bad[ROWS, 0] = REFUSED
    for x in (samples(1), bad, samples(2, 2)):
        runs.begin([x])
    first, failed, last = collect(runs, 3)
    check(first, samples(1))
    assert isinstance(failed, EdgerigError)
    assert "this sample is refused" in failed.message
    check(last, samples(2, 2))
    runs.close()


def test_a_process_that_dies_in_the_middle_is_noticed_after_what_it_had_answered(session: WireSession) -> None:
    runs = RingRuns(session, ROWS)
    check(*collect_one(runs, samples(ROWS)))
    deadly = samples(ROWS)
    deadly[2, 0] = DEADLY
    runs.begin([deadly])
    with pytest.raises(TargetError, match="SIGKILL"):
        collect(runs, 1)
    # It is of no use any more, and can still be closed.
    runs.close()


def collect_one(runs: RingRuns, x: Any) -> tuple[Ran | EdgerigError, Any]:
    runs.begin([x])
    return collect(runs, 1)[0], x


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_killed_while_it_is_asked_takes_nothing_down(session: WireSession, signal_: int) -> None:
    runs = RingRuns(session, ROWS)
    assert session.pid is not None
    for index in range(2 * SLOTS):
        runs.begin([samples(ROWS, index)])
    os.kill(session.pid, signal_)
    with pytest.raises(TargetError, match="died of"):
        collect(runs, 2 * SLOTS)
    runs.close()


def test_the_session_goes_on_by_messages_after_the_ring_has_ended(session: WireSession) -> None:
    x = samples(3)
    for _ in range(3):
        runs = RingRuns(session, ROWS)
        check(*collect_one(runs, x))
        check(*collect_one(runs, x[:1]))
        runs.close()
        np.testing.assert_allclose(session.run([x]).outputs[0], expected(x), rtol=1e-4, atol=1e-6)
    assert session.client.download_statistics().inferences == 3 * 7


def test_no_descriptor_stays_open(session: WireSession) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    RingRuns(session, ROWS).close()
    before = descriptors()
    for _ in range(20):
        runs = RingRuns(session, ROWS)
        check(*collect_one(runs, samples(1)))
        runs.close()
    # With the last one its mapping goes.
    del runs
    assert descriptors() == before
    assert session.pid is not None
    session.run([samples(1)])
    assert len(list(Path(f"/proc/{session.pid}/fd").iterdir())) < 20


def test_answers_that_cannot_be_end_the_session_and_not_the_host(session: WireSession) -> None:
    """Whatever the process behind it writes: more answers than requests, another number, a failure that is none."""
    for number, count, failure in ((7, 1, 0), (1, 2, 0), (1, 1, 1 << 30), (1, 1, 5)):
        runs = session_without_process(session)
        slot = runs._ring.slot(1)
        runs.begin([samples(1)])
        slot.write_head(number, count, failure)
        os.eventfd_write(runs.fd, 1)
        with pytest.raises(AnswerError):
            runs.receive()
        runs.close()
    runs = session_without_process(session)
    os.eventfd_write(runs.fd, 3)
    with pytest.raises(AnswerError, match="3 answers to 0 requests"):
        runs.receive()
    runs.close()


def test_times_that_cannot_be_are_refused(session: WireSession) -> None:
    for time_ns in (-1, 0, 1 << 60):
        runs = session_without_process(session)
        runs.begin([samples(1)])
        runs._ring.slot(1).times[0] = time_ns
        os.eventfd_write(runs.fd, 1)
        with pytest.raises(AnswerError, match=r"clock|a time of"):
            runs.receive()
        runs.close()


def session_without_process(session: WireSession) -> RingRuns:
    """A ring that nobody answers: the test does."""

    class Silent:
        who, timeout, broken = "The local process", 60.0, False
        pair = socket.socketpair()
        link = PairLink(pair[0])

        def request(self, kind: Kind, header: bytes) -> None:
            assert kind == Kind.RING

    class Alone:
        client, load_report = Silent(), session.load_report

    return RingRuns(Alone(), ROWS)  # type: ignore[arg-type]


def test_memory_cannot_be_made_smaller_under_the_host(tmp_path: Path) -> None:
    memory = new_memory(4096)
    with pytest.raises(PermissionError):
        os.ftruncate(memory, 0)
    os.close(memory)


def test_a_ring_is_refused_where_it_cannot_be(session: WireSession) -> None:
    for header in (
        RingHeader(0, 1),
        RingHeader(1, 0),
        RingHeader(1 << 20, 1),
        RingHeader(1, 1, 0),
        RingHeader(1, 1, 3),
    ):
        with pytest.raises(EdgerigError, match="has no"):
            session.client.request(Kind.RING, pack(header))
    np.testing.assert_allclose(session.run([samples(1)]).outputs[0], expected(samples(1)), rtol=1e-4)


def test_a_ring_is_for_hosts_on_the_same_machine(net: Path) -> None:
    from edgerig.agent.ring import check_ring
    from edgerig.runtimes.litert import LiteRt
    from edgerig.wire.link import TcpLink

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        runtime = LiteRt()
        runtime.load(net)
        with pytest.raises(Unsupported):
            check_ring(RingHeader(1, 1), runtime, TcpLink(client))
        runtime.close()


def test_descriptors_that_do_not_come_end_the_session_with_a_reason(session: WireSession) -> None:
    session.client.request(Kind.RING, pack(RingHeader(2, 2)))
    link = session.client.link
    assert isinstance(link, PairLink)
    link.socket.send(b"\0")
    with pytest.raises(EdgerigError, match="0 descriptors came instead of 3"):
        session.client.memory()


def test_a_small_memory_ends_the_session_with_a_reason(session: WireSession) -> None:
    session.client.request(Kind.RING, pack(RingHeader(2, 2)))
    link = session.client.link
    assert isinstance(link, PairLink)
    memory = new_memory(64)
    socket.send_fds(link.socket, [b"\0"], [memory, memory, memory])
    os.close(memory)
    with pytest.raises(EdgerigError, match="No memory is shared"):
        session.client.memory()


def test_a_second_ring_is_answered_beside_the_first_one(session: WireSession) -> None:
    runs = RingRuns(session, ROWS, rings=2)
    second = runs.second
    assert second is not None
    for number in range(1, 12):
        slot, x = second.ring.slot(number), samples(ROWS, number)
        slot.inputs[0][:] = x
        slot.write_head(number, ROWS)
        runs.begin([samples(3, 100 + number)])
        os.eventfd_write(second.requests, 1)
        assert select.select([second.answers], [], [], 60)[0]
        assert os.eventfd_read(second.answers) == 1
        assert slot.read_head() == (number, ROWS, 0)
        assert struct.unpack_from("=Q", slot._memory, slot._first + BEGUN_AT) == (number,)
        check(Ran((slot.outputs[0],), slot.times), x)
        check(collect(runs, 1)[0], samples(3, 100 + number))
    runs.close()
    np.testing.assert_allclose(session.run([samples(1)]).outputs[0], expected(samples(1)), rtol=1e-4)


def test_a_large_sample_has_a_slot_of_its_own(monkeypatch: pytest.MonkeyPatch, session: WireSession) -> None:
    monkeypatch.setattr(ring_runs, "SLOT_BYTES", 100)
    runs = RingRuns(session, 64)
    assert runs._rows == 2
    check(*collect_one(runs, samples(50)))
    runs.close()


def test_a_thread_may_wait_for_its_samples(session: WireSession) -> None:
    runs = RingRuns(session, ROWS)
    x = samples(2 * SLOTS * ROWS)
    check(runs.run([x]), x)
    x[0, 0] = REFUSED
    with pytest.raises(EdgerigError, match="refused"):
        runs.run([x])
    check(runs.run([x[1:]]), x[1:])
    x[0, 0] = ENDLESS
    runs.patience = 0.3
    with pytest.raises(TargetError, match=r"did not answer within 0\.3 s"):
        runs.run([x])
    runs.close()


def test_a_thread_that_waits_notices_the_end_of_the_process(session: WireSession) -> None:
    runs = RingRuns(session, ROWS)
    x = samples(ROWS)
    x[1, 0] = DEADLY
    with pytest.raises(TargetError, match="SIGKILL"):
        runs.run([x])
    runs.close()
