"""Requests that are answered directly get what the usual way gives, however their bytes arrive."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.fragile import DEADLY, REFUSED
from tests.serve.ways.open_inference.samples import samples

from edgerig.serve import Server
from edgerig.serve.bodies import Bodies
from edgerig.serve.ways.open_inference.direct import LARGEST, DirectInference
from edgerig.serve.ways.open_inference.http import OpenInferenceHttp


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of each body that was answered directly."""
    lengths: list[int] = []
    run = DirectInference.run

    def counted(self: DirectInference, head: Any, body: bytes, reply: Any) -> Any:
        request = run(self, head, body, reply)
        if request is not None:
            lengths.append(len(body))
        return request

    monkeypatch.setattr(DirectInference, "run", counted)
    return lengths


def message(x: Any, id: str = "", model: str = "float_net", more: str = "") -> bytes:
    """A request with a binary tensor."""
    tensor = {"name": "x", "shape": list(x.shape), "datatype": "FP32", "parameters": {"binary_data_size": x.nbytes}}
    text = json.dumps({"id": id, "inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: here\r\n{more}"
    head += f"Content-Length: {len(text) + x.nbytes}\r\nInference-Header-Content-Length: {len(text)}\r\n\r\n"
    return head.encode() + text + x.tobytes()


class Connection:
    """A connection, and what came on it that is not read yet."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection((server.address.host, server.address.port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)
            time.sleep(0.002)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers, body."""
        while b"\r\n\r\n" not in self._data:
            self._receive()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        while len(self._data) < length:
            self._receive()
        body, self._data = self._data[:length], self._data[length:]
        return int(first.split()[1]), headers, body

    def outputs(self) -> Any:
        """The output in the next answer, and the request's id."""
        status, headers, body = self.answer()
        assert status == 200, body
        length = int(headers["inference-header-content-length"])
        told = json.loads(body[:length])
        (output,) = told["outputs"]
        return np.frombuffer(body[length:], np.float32).reshape(output["shape"]), told.get("id", "")

    def closed(self) -> bool:
        return not self._data and self.socket.recv(1) == b""

    def _receive(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server hung up")
        self._data += data

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def check(server: Server, connection: Connection, x: Any, id: str = "") -> None:
    outputs, told = connection.outputs()
    np.testing.assert_array_equal(outputs, server.infer({"x": x}).outputs["y"])
    assert told == id


def test_the_second_of_its_kind_is_answered_directly_and_alike(fragile: Server, direct: list[int]) -> None:
    x = samples(2)
    more = "X-Own: direct-and-alike\r\n"
    with Connection(fragile) as connection:
        answers = []
        for _ in range(3):
            connection.send(message(x, "7", more=more))
            answers.append(connection.answer())
    usual, first, second = answers
    assert len(direct) == 2
    for status, headers, body in (first, second):
        assert status == usual[0] == 200
        assert headers.keys() == usual[1].keys()
        assert body == usual[2]
        assert headers["content-type"] == usual[1]["content-type"] == "application/octet-stream"


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda data: [data],
    "head, then body": lambda data: [*_split(data)],
    "within the head": lambda data: [data[:40], data[40:]],
    "within the JSON": lambda data: [data[: data.index(b"{") + 9], data[data.index(b"{") + 9 :]],
    "last byte alone": lambda data: [data[:-1], data[-1:]],
    "body in many pieces": lambda data: [_split(data)[0], *[bytes([byte]) for byte in _split(data)[1]]],
}


def _split(data: bytes) -> tuple[bytes, bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


@pytest.mark.parametrize("cut", CUTS)
def test_the_pieces_in_which_a_request_comes_do_not_matter(fragile: Server, direct: list[int], cut: str) -> None:
    with Connection(fragile) as connection:
        connection.send(message(samples(1)))
        check(fragile, connection, samples(1))
        for seed in range(3):
            x = samples(1, seed)
            connection.send(*CUTS[cut](message(x)))
            check(fragile, connection, x)
    assert (len(direct) >= 3) == (cut != "within the head")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 4000), max_size=12), counts=st.lists(st.integers(1, 3), min_size=2, max_size=8))
def test_requests_sent_without_waiting_are_answered_in_order(
    fragile: Server, direct: list[int], cuts: list[int], counts: list[int]
) -> None:
    given_ = [samples(count, seed) for seed, count in enumerate(counts)]
    data = b"".join(message(x, f"{seed}") for seed, x in enumerate(given_))
    places = [0, *sorted({cut % len(data) for cut in cuts}), len(data)]
    with Connection(fragile) as connection:
        for first, last in itertools.pairwise(places):
            connection.socket.sendall(data[first:last])
        for seed, x in enumerate(given_):
            check(fragile, connection, x, f"{seed}")


def test_interleaved_connections_get_their_own_answers(fragile: Server, direct: list[int]) -> None:
    connections = [Connection(fragile) for _ in range(20)]
    for turn in range(30):
        for number, connection in enumerate(connections):
            connection.socket.sendall(message(samples(1 + number % 3, 100 * turn + number)))
        for number, connection in enumerate(connections):
            check(fragile, connection, samples(1 + number % 3, 100 * turn + number))
    assert len(direct) > 500
    for connection in connections:
        connection.socket.close()


def test_what_is_wrong_is_said_in_either_way(fragile: Server, direct: list[int]) -> None:
    good = message(samples(1))
    head, body = _split(good)
    wrong = {
        "another shape": body.replace(b"[1, 8]", b"[2, 4]"),
        "no JSON": b"}" + body[1:],
        "another name": body.replace(b'"x"', b'"z"'),
        "another type": body.replace(b"FP32", b"INT8"),
    }
    with Connection(fragile) as connection:
        connection.send(good)
        check(fragile, connection, samples(1))
        for bad in wrong.values():
            connection.send(head + bad)
            status, _, text = connection.answer()
            assert status == 400
            assert json.loads(text)["error"]
        # And the next one is fine.
        connection.send(good)
        check(fragile, connection, samples(1))
    assert len(direct) > len(wrong)


@pytest.mark.parametrize(("value", "status"), [(REFUSED, 500), (DEADLY, 503)])
def test_an_engine_that_fails_is_told(fragile: Server, direct: list[int], value: float, status: int) -> None:
    bad = samples(1)
    bad[0, 0] = value
    with Connection(fragile) as connection:
        connection.send(message(samples(1)))
        check(fragile, connection, samples(1))
        connection.send(message(bad))
        answered, headers, _ = connection.answer()
        assert answered == status
        assert ("retry-after" in headers) == (status == 503)
        connection.send(message(samples(1)))
        check(fragile, connection, samples(1))
    assert len(direct) >= 2


def test_a_body_that_does_not_come_ends_its_connection_alone(float_net: Path, direct: list[int]) -> None:
    way = OpenInferenceHttp(bodies=Bodies(seconds=0.2))
    with Server(float_net, listen="127.0.0.1:0", sessions=1, ways=[way]) as server, Connection(server) as slow:
        slow.send(message(samples(1)))
        check(server, slow, samples(1))
        slow.send(message(samples(1))[:-1])
        status, headers, _ = slow.answer()
        assert status == 408
        assert headers["connection"] == "close"
        assert slow.closed()
        with Connection(server) as other:
            other.send(message(samples(1)))
            check(server, other, samples(1))


def test_clients_that_vanish_cost_nobody_anything_and_every_request_is_counted(
    float_net: Path, direct: list[int]
) -> None:
    with Server(float_net, listen="127.0.0.1:0", sessions=1) as server:
        with Connection(server) as connection:
            connection.send(message(samples(1)))
            check(server, connection, samples(1))
        for length in (10, 300, -1):
            with Connection(server) as connection:
                connection.send(message(samples(1))[:length])
        for _ in range(5):
            with Connection(server) as connection:
                connection.send(message(samples(1)))
        with Connection(server) as connection:
            connection.send(message(samples(1)))
            check(server, connection, samples(1))
        assert server.service.records.requests[("oip-http", "ok")] == [7, 7]
        assert server.service.records.histograms["handler"].cumulative()[-1][1] == 7


def test_heads_that_are_not_plain_go_the_usual_way(fragile: Server, direct: list[int]) -> None:
    x = samples(1)
    body = _split(message(x))[1]
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    start = b"POST /v2/models/float_net/infer HTTP/1.1\r\nInference-Header-Content-Length: %d\r\n" % body.index(
        x.tobytes()
    )
    with Connection(fragile) as connection:
        for _ in range(2):
            connection.send(start + b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
            check(fragile, connection, x)
            connection.send(start + b"Content-Length: %d\r\nX-A: 1\r\nX-A: 2\r\n\r\n" % len(body) + body)
            check(fragile, connection, x)
    for _ in range(2):
        with Connection(fragile) as connection:
            connection.send(start + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            check(fragile, connection, x)
            assert connection.closed()
    many = samples(LARGEST // 32 + 1)
    with Connection(fragile) as connection:
        for _ in range(2):
            connection.send(message(many))
            check(fragile, connection, many)
    assert not direct


def test_more_samples_than_a_batch_and_the_token_go_the_usual_way(float_net: Path, direct: list[int]) -> None:
    token = "Authorization: Bearer secret\r\n"
    with (
        Server(float_net, listen="127.0.0.1:0", sessions=1, batch=2, token=b"secret") as server,
        Connection(server) as connection,
    ):
        for _ in range(2):
            connection.send(message(samples(5), more=token))
            check(server, connection, samples(5))
        assert not direct
        for _ in range(2):
            connection.send(message(samples(1)))
            assert connection.answer()[0] == 401
            connection.send(message(samples(1), more="Authorization: Bearer other\r\n"))
            assert connection.answer()[0] == 401
        assert not direct
        for _ in range(2):
            connection.send(message(samples(1), more=token))
            check(server, connection, samples(1))
        assert len(direct) == 1


def test_a_server_that_stops_answers_what_has_come(float_net: Path, direct: list[int]) -> None:
    server = Server(float_net, listen="127.0.0.1:0", sessions=1)
    with Connection(server) as connection, Connection(server) as half, Connection(server) as idle:
        for each in (connection, half, idle):
            each.send(message(samples(1)))
            check(server, each, samples(1))
        good = message(samples(1))
        half.send(good[:-8])
        stopping = threading.Thread(target=server.stop, args=(20,))
        stopping.start()
        assert idle.closed()
        half.send(good[-8:])
        status, headers, _ = half.answer()
        # Its pool may have stopped before the rest came; either way it is told, and hung up on.
        assert status in (200, 503)
        assert headers["connection"] == "close"
        assert half.closed()
        stopping.join()
