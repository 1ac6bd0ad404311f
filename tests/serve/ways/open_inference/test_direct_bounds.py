"""No client can make the direct way take heads or bytes for what they are not; no log that fails costs an answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.serve.ways.open_inference.samples import samples
from tests.serve.ways.open_inference.test_direct import Connection, check, message

from edgerig.serve import Server
from edgerig.serve.bodies import Bodies
from edgerig.serve.http_protocol import BoundedHttpProtocol
from edgerig.serve.ways.open_inference.http import OpenInferenceHttp

TOKEN = "Authorization: Bearer secret\r\n"
LINE = b"POST /v2/models/float_net/infer HTTP/1.1\r\n"


def test_the_rest_of_a_head_is_not_learned_as_a_whole_one(float_net: Path) -> None:
    """Else whoever knows the token could let in those who do not."""
    with Server(float_net, listen="127.0.0.1:0", sessions=1, token=b"secret") as server:
        stranger = message(samples(1), more="X-Who: stranger\r\n")
        with Connection(server) as connection:
            # The stranger's first line becomes the value of a header of a request with the token.
            connection.send(message(samples(1), more=TOKEN) + LINE + TOKEN.encode() + b"X-Line: ")
            check(server, connection, samples(1))
            connection.send(stranger)
            check(server, connection, samples(1))
        with Connection(server) as connection:
            connection.send(stranger)
            assert connection.answer()[0] == 401


def test_a_known_head_within_another_is_none(fragile: Server) -> None:
    known = message(samples(1), more="X-Who: known\r\n")
    with Connection(fragile) as connection:
        for _ in range(2):
            connection.send(known)
            check(fragile, connection, samples(1))
        connection.send(known + b"GET /v2/health/live HTTP/1.1\r\nX-Line: ")
        check(fragile, connection, samples(1))
        connection.send(known)
        status, _, body = connection.answer()
        assert (status, body) == (200, b"")
        connection.send(known)
        check(fragile, connection, samples(1))


def test_zeros_before_a_length_do_not_hide_it(float_net: Path) -> None:
    ways = [OpenInferenceHttp(bodies=Bodies(largest=1000))]
    head = LINE + b"Host: here\r\nContent-Length: " + b"0" * 20 + b"5000\r\n\r\n"
    with Server(float_net, listen="127.0.0.1:0", sessions=1, ways=ways) as server:
        for _ in range(3):
            with Connection(server) as connection:
                connection.send(head + bytes(5000))
                assert connection.answer()[0] == 413


def test_bytes_that_come_in_the_round_of_an_answer_stay_behind_those_before(
    fragile: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket may be readable in the same round of the loop in which its answer is written."""
    first, second = (message(samples(1), id, more="X-Who: round\r\n") for id in ("1", "2"))
    reply, pending = BoundedHttpProtocol._reply, [second]

    def reply_between(self: Any, status: int, head: bytes, body: Sequence[bytes | memoryview]) -> None:
        behind = pending.pop() if pending else b""
        if behind:
            self.data_received(behind[:20])
        reply(self, status, head, body)
        if behind:
            self.data_received(behind[20:])

    with Connection(fragile) as connection:
        connection.send(first)
        check(fragile, connection, samples(1), "1")
        monkeypatch.setattr(BoundedHttpProtocol, "_reply", reply_between)
        connection.send(first)
        check(fragile, connection, samples(1), "1")
        check(fragile, connection, samples(1), "2")


def test_more_samples_than_the_queue_holds_are_refused_in_either_way(float_net: Path) -> None:
    with Server(float_net, listen="127.0.0.1:0", sessions=1, queue=2, batch=8) as server, Connection(server) as asker:
        for count, status in ((2, 200), (5, 400), (5, 400), (2, 200), (5, 400)):
            asker.send(message(samples(count)))
            assert asker.answer()[0] == status


def test_a_log_that_cannot_be_written_costs_no_answer(float_net: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails
    with Server(float_net, listen="127.0.0.1:0", sessions=1, log=log) as server, Connection(server) as connection:
        for _ in range(4):
            connection.send(message(samples(1)))
            check(server, connection, samples(1))
        assert server.service.records.requests["oip-http", "ok"] == [4, 4]
    with contextlib.suppress(OSError):
        log.close()
    assert [record.getMessage() for record in caplog.records if "request log" in record.getMessage()] == [
        "lines of the request log are lost: OSError: [Errno 28] No space left on device"
    ]


def test_a_server_that_stops_hangs_up_after_requests_that_came_together(float_net: Path) -> None:
    server = Server(float_net, listen="127.0.0.1:0", sessions=1)
    known = message(samples(1), more="X-Who: stops\r\n")
    with Connection(server) as connection, Connection(server) as idle:
        for each in (connection, connection, idle):
            each.send(known)
            check(server, each, samples(1))
        connection.send(known[:-8])
        stopping = threading.Thread(target=server.stop, args=(600,))
        stopping.start()
        assert idle.closed()
        connection.send(known[-8:] + b"GET /v2/health/live HTTP/1.1\r\nHost: here\r\n\r\n")
        assert [connection.answer()[0] for _ in range(2)] == [200, 200]
        # Long before the deadline.
        assert connection.closed()
        stopping.join()


class Loop:
    """A clock that a test sets, and the timers that were set on it."""

    def __init__(self) -> None:
        self.now, self.timers = 0.0, list[float]()

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, function: Any) -> object:
        self.timers.append(self.now + seconds)
        return object()


def test_one_timer_measures_the_silence_after_many_requests() -> None:
    loop, closed = Loop(), list[float]()
    connection: Any = BoundedHttpProtocol.__new__(BoundedHttpProtocol)
    connection.loop, connection.timeout_keep_alive = loop, 75
    connection.transport = SimpleNamespace(
        is_closing=lambda: False, get_write_buffer_size=lambda: 0, close=lambda: closed.append(loop.now)
    )
    connection._silent_until, loop.now = 130.0, 100.0
    # Asked meanwhile: the rest of the time since the last answer.
    connection.timeout_keep_alive_handler()
    assert (loop.timers, closed) == ([130.0], [])
    # A request that is under way is no silence.
    loop.now, connection._request = 130.0, object()
    connection.timeout_keep_alive_handler()
    assert (loop.timers, closed) == ([130.0, 205.0], [])
    loop.now, connection._request = 205.0, None
    connection.timeout_keep_alive_handler()
    assert closed == [205.0]


def test_a_connection_that_is_silent_after_a_direct_answer_ends(
    float_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerig.serve.http.KEEP_ALIVE_SECONDS", 1)
    with Server(float_net, listen="127.0.0.1:0", sessions=1) as server, Connection(server) as connection:
        for _ in range(3):
            connection.send(message(samples(1)))
            check(server, connection, samples(1))
        assert connection.socket.recv(1) == b""
