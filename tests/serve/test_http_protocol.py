"""What comes over HTTP and is no request ends its own connection, in bounds of memory and time, and nothing else."""

import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.serve.ways.open_inference.samples import samples
from tests.serve.ways.open_inference.test_direct import Connection, message

from edgerig.serve import Server
from edgerig.serve.http_protocol import HEAD_BYTES, QUIET_SECONDS, BoundedHttpProtocol, SparingLog


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection((server.address.host, server.address.port), 60) as client:
        yield client


def answer_to(server: Server, *parts: bytes) -> bytes:
    """All that the server says before it hangs up."""
    with connected(server) as client:
        for part in parts:
            try:
                client.sendall(part)
            except OSError:
                break
        answer = b""
        try:
            while data := client.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def test_other_bytes_than_http(fragile: Server) -> None:
    assert answer_to(fragile, bytes(range(256)) * 4).startswith(b"HTTP/1.1 400 ")
    assert answer_to(fragile, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * (2 * HEAD_BYTES),
        b"GET / HTTP/1.1\r\nname: " + b"a" * (40 * HEAD_BYTES),
        b"GET / HTTP/1.1\r\n" + b"name: value\r\n" * (HEAD_BYTES // 4),
        b"GET / HTTP/1.1\r\n" + b"name: value\r\n" * (HEAD_BYTES // 8) + b"\r\n",
    ],
    ids=["url", "one header", "many headers", "complete"],
)
def test_a_head_without_end(fragile: Server, head: bytes) -> None:
    assert answer_to(fragile, head)[:13] in (b"HTTP/1.1 431 ", b"")


def test_a_head_that_does_not_come_to_an_end_in_time(fragile: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHttpProtocol, "head_seconds", 0.2)
    assert answer_to(fragile, b"GET / HTTP/1.1\r\n", b"Host: a\r\n").startswith(b"HTTP/1.1 408 ")
    assert answer_to(fragile).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_stays_away_holds_nobody_up(fragile: Server) -> None:
    with connected(fragile) as silent:
        silent.sendall(b"POST /v2/models/float_net/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        alive = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert answer_to(fragile, alive).startswith(b"HTTP/1.1 200 ")


def test_requests_that_are_none_do_not_fill_the_log(fragile: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "uvicorn.error"):
        for _ in range(30):
            answer_to(fragile, b"\x00\x01 no request\r\n\r\n")
    assert sum("Invalid HTTP request" in record.getMessage() for record in caplog.records) <= 1


def test_a_warning_tells_how_many_were_left_out(caplog: pytest.LogCaptureFixture) -> None:
    seconds = [0.0]
    log = SparingLog(logging.getLogger("tests.sparing"), lambda: seconds[0])
    for _ in range(5):
        log.warning("nonsense")
    seconds[0] = QUIET_SECONDS
    log.warning("nonsense")
    log.warning("nonsense")
    texts = [record.getMessage() for record in caplog.records]
    assert texts == ["nonsense", "nonsense (4 more like it since the last line)"]


def test_a_websocket_is_a_connection_until_it_ends(fragile: Server) -> None:
    def connections() -> int:
        return fragile.service.records.connections.get("http", 0)

    before = connections()
    upgrade = (
        b"GET /nowhere HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert answer_to(fragile, upgrade).startswith(b"HTTP/1.1 403 ")
    deadline = time.monotonic() + 60
    while connections() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert connections() == before


def test_nothing_is_left_of_a_connection_that_is_reset_within_a_request(
    fragile: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a kind that is answered directly, behind one that was: its timer must not wait for the rest of it."""
    began = list[BoundedHttpProtocol]()
    begin = BoundedHttpProtocol._begin_direct

    def noted(self: BoundedHttpProtocol, data: bytes) -> bool:
        took = begin(self, data)
        if took and self._missing:
            began.append(self)
        return took

    monkeypatch.setattr(BoundedHttpProtocol, "_begin_direct", noted)
    request = message(samples(1), more="X-Who: reset\r\n")
    with Connection(fragile) as connection:
        for _ in range(2):
            connection.send(request)
            assert connection.answer()[0] == 200
        connection.send(request[:-1])
        wait_for(lambda: bool(began))
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (protocol,) = began
    wait_for(lambda: protocol.transport.is_closing() and protocol.parser is None)
    assert protocol.timeout_keep_alive_task is None
    assert protocol._head_timer is None
    assert protocol._direct is None


def test_what_is_no_request_behind_others_does_not_make_their_answers_fail(
    fragile: Server, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"inputs":[{"name":"x","shape":[1,8],"datatype":"FP32","data":[1,1,1,1,1,1,1,1]}]}'
    head = b"POST /v2/models/float_net/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    with caplog.at_level("ERROR"):
        for _ in range(20):
            assert b"HTTP/1.1 400 " in answer_to(fragile, (head + body) * 4, b"no request\r\n\r\n")
        alive = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert answer_to(fragile, alive).startswith(b"HTTP/1.1 200 ")
    assert not [record.getMessage() for record in caplog.records]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()
