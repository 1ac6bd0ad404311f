"""When a load sends what, and what it counts: in this process, against real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from tests.serve.stress.conftest import GOOD, Serve

from edgerig.serve.stress.alarm import Alarm, now
from edgerig.serve.stress.driver import ClosedLoop, Driver, OpenLoop
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.protocols import protocol_of
from edgerig.wire.digits import encode_inference_request

REQUEST = encode_inference_request(np.zeros(784))


def load_with(port: int, **settings: Any) -> Load:
    load = Load(host="127.0.0.1", port=port, protocol="digits", **settings)
    load.check()
    return load


def drive(port: int, **settings: Any) -> Driver:
    """A load made in this process."""
    load = load_with(port, **settings)
    protocol = protocol_of(load)
    protocol.restore(REQUEST)

    async def run() -> Driver:
        driver = (ClosedLoop if load.rate is None else OpenLoop)(load, protocol.slot)
        await driver.prepare()
        await driver.run(now())
        return driver

    return asyncio.run(run())


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, and nobody else can."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_each_connection_makes_its_requests_one_after_another(serve: Serve) -> None:
    server = serve()
    record = drive(server.port, connections=7, requests=11).record
    assert (server.requests, server.connections, server.most_open) == (77, 7, 7)
    assert len(record.done) == 77
    assert set(record.server) == {2_500_000}
    assert all(done > begun >= due for due, begun, done in zip(record.due, record.begun, record.done, strict=True))
    assert len(record.connect) == 7
    assert not record.failures


def test_each_request_can_have_a_connection_of_its_own(serve: Serve) -> None:
    server = serve(one_each=True)
    record = drive(server.port, connections=5, requests=8, reconnect=True).record
    assert (server.requests, server.connections, len(record.done)) == (40, 40, 40)
    assert len(record.connect) == 40
    assert not record.failures


@pytest.mark.slow
def test_a_thousand_connections_are_open_at_the_same_time(serve: Serve) -> None:
    waiting: list[int] = []

    def all_there(number: int) -> tuple[float, bytes | None]:
        # The first are answered only when the last has come.
        waiting.append(number)
        return (0.0 if number >= 1000 else 0.05, GOOD)

    server = serve(all_there)
    record = drive(server.port, connections=1000, timeout=60.0).record
    assert (len(record.done), dict(record.failures)) == (1000, {})
    assert server.most_open > 900


def test_arrivals_are_those_of_a_poisson_process(serve: Serve) -> None:
    server = serve()
    driver = drive(server.port, connections=4, requests=500, rate=4000.0, seed=3)
    due = np.sort(np.array(driver.record.due))
    gaps = np.diff(due)
    expected = np.cumsum(np.random.default_rng(3).exponential(1e9 / 4000.0, 2000)).astype(np.int64)
    assert np.array_equal(due - due[0], expected - expected[0])
    # Of an exponential distribution the standard deviation is the mean.
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)
    assert gaps.mean() == pytest.approx(1e9 / 4000, rel=0.1)
    assert server.requests == 2000
    assert all(np.array(driver.record.begun) >= np.array(driver.record.due))


def test_a_stall_of_the_server_is_in_the_latency_of_all_that_were_due_meanwhile(serve: Serve) -> None:
    """A server that stalls for half a second, at 200 requests a second: 100 are due in that time, 60 of them in its
    first 0.3 s. A closed loop would have seen one slow request.
    """
    server = serve(lambda number: (0.5 if number == 50 else 0.0, GOOD))
    driver = drive(server.port, connections=1, requests=200, rate=200.0)
    due, begun, done = (np.array(getattr(driver.record, name)) for name in ("due", "begun", "done"))
    slow, slow_from_sending = (int(((done - since) > 0.2e9).sum()) for since in (due, begun))
    assert slow >= 45
    assert 1 <= slow_from_sending <= 5
    assert driver.waited >= 80
    # Those that waited for the server are none of the tool's own lateness.
    assert len(driver.record.late) == 200 - driver.waited


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (None, "connection closed before the reply"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "reply that is no message of the protocol"),
        (GOOD + b"more", "more bytes than the reply has"),
    ],
)
def test_failures_are_counted_by_kind_and_cost_one_request_each(serve: Serve, reply: bytes | None, kind: str) -> None:
    server = serve(lambda number: (0.0, reply if number % 5 == 0 else GOOD))
    record = drive(server.port, connections=1, requests=50).record
    assert dict(record.failures) == {kind: 10}
    assert len(record.done) == 40
    assert (server.requests, server.connections) == (50, 10)


def test_a_request_that_is_not_answered_is_given_up(serve: Serve) -> None:
    server = serve(lambda number: (30.0 if number == 3 else 0.0, GOOD))
    record = drive(server.port, connections=1, requests=6, timeout=0.3).record
    assert dict(record.failures) == {"no reply within 0.3 s": 1}
    assert (len(record.done), server.connections) == (5, 2)


@pytest.mark.parametrize("rate", [None, 500.0])
def test_a_server_that_is_not_there_refuses_every_request(rate: float | None) -> None:
    with closed_port() as port:
        driver = drive(port, connections=3, requests=10, rate=rate)
    assert dict(driver.record.failures) == {"connection refused": 30}
    assert not driver.record.done


@pytest.mark.parametrize("rate", [None, 50_000.0])
def test_a_load_on_a_server_that_is_gone_ends_early(rate: float | None) -> None:
    with closed_port() as port:
        driver = drive(port, connections=60, requests=1000, rate=rate)
    assert driver.gone
    # Twice as many refusals in a row as there are connections, and nothing after them.
    assert dict(driver.record.failures) == {"connection refused": 120}
    assert driver.handled == 120


def test_a_server_that_dies_under_load_ends_it(serve: Serve) -> None:
    server = serve(lambda number: (0.0, GOOD if number < 30 else None))
    record = drive(server.port, connections=4, requests=25).record
    assert len(record.done) == 29
    assert record.failures.total() == 71


def test_an_alarm_rings_in_time_and_never_before() -> None:
    rung: list[int] = []

    async def wait() -> tuple[int, int]:
        done = asyncio.Event()

        def ring() -> None:
            rung.append(now())
            done.set()

        alarm = Alarm(ring)
        first = now() + 3_300_000
        alarm.set(first)
        await done.wait()
        done.clear()
        alarm.set(now() - 5)
        await done.wait()
        alarm.set(now() + 1_000_000)
        alarm.close()
        await asyncio.sleep(0.02)
        return first, len(rung)

    first, count = asyncio.run(wait())
    assert rung[0] >= first
    assert count == 2


def test_the_shares_of_processes_make_up_the_load() -> None:
    load = load_with(1, connections=10, requests=3, rate=100.0, processes=4)
    shares = load.shares()
    assert [share.connections for share in shares] == [3, 3, 2, 2]
    assert sum(share.rate or 0 for share in shares) == pytest.approx(100.0)
    assert sum(share.total for share in shares) == load.total
    assert len({share.seed for share in shares}) == 4
