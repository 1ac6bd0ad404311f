"""Requests of several connections that come one after another go to the network together; those of a single one do not
wait for more."""

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgerig.serve import Server
from edgerig.serve.ways.digits import Digits
from edgerig.serve.ways.digits_connections import Connection
from edgerig.serve.ways.digits_groups import ENOUGH, Groups
from edgerig.wire.digits import REPLY_SIZE, REQUEST_SIZE, InferenceReply, decode_reply, encode_inference_request

DIGITS = np.random.default_rng(0).random((3 * ENOUGH, 784)).astype(np.float32)


async def taken(connections: int, count: int, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The numbers of the digits that are run together, of so many that come in a round of the loop each."""
    clients = [SimpleNamespace(in_round=0, since=0.0, awaits_replies=True) for _ in range(connections)]
    nobody: Any = None
    groups, runs = Groups(nobody, nobody, (), 0, set(range(connections))), list[list[int]]()

    def submit(pieces: list[tuple[Any, int]], digits: Any) -> None:
        assert [samples for _, samples in pieces] == [1] * len(digits)
        runs.append([int(np.flatnonzero((digit == DIGITS).all(axis=1))[0]) for digit in digits])

    monkeypatch.setattr(groups, "submit", submit)
    for number in range(count):
        connection: Any = clients[number % connections]
        connection.in_round += 1
        groups.arrive(connection, encode_inference_request(DIGITS[number]))
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert [connection.in_round for connection in clients] == [0] * connections
    return runs


def test_as_long_as_each_round_brings_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(taken(2, 5, monkeypatch)) == [[0, 1, 2, 3, 4]]


def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = asyncio.run(taken(2, 3 * ENOUGH, monkeypatch))
    assert [number for run in runs for number in run] == list(range(3 * ENOUGH))
    assert max(map(len, runs)) <= ENOUGH


def test_a_single_connection_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(taken(1, 4, monkeypatch)) == [[0], [1], [2], [3]]


#: The engine refuses a digit that begins with it, see `tests.serve.fragile`; a NaN is no valid request.
REFUSED, INVALID = 777.0, float("nan")


def encoded(pixels: Any, first: float | None = None) -> bytes:
    message = encode_inference_request(pixels)
    return (
        message
        if first is None
        else message.replace(pixels[:4].tobytes(), np.array([first, *pixels[1:4]], "<f4").tobytes())
    )


@pytest.mark.parametrize("bad", [REFUSED, INVALID], ids=["refused", "invalid"])
@pytest.mark.parametrize("pieces", [(3, 1), (2, 2), (1, 1, 2), (2, 1, 1)], ids=str)
def test_no_reply_is_taken_for_that_of_a_request_that_has_none(
    digit_net: Path, monkeypatch: pytest.MonkeyPatch, bad: float, pieces: tuple[int, ...]
) -> None:
    """What a connection sends behind a bad request stays without replies, also where it came in the same round."""
    requests = [encoded(DIGITS[0]), encoded(DIGITS[1], bad), encoded(DIGITS[2]), encoded(DIGITS[3])]
    receive, came = Connection.data_received, dict[Connection, bytes]()

    def in_pieces(self: Connection, data: bytes) -> None:
        data = came.pop(self, b"") + data
        if len(data) < len(requests) * REQUEST_SIZE:
            came[self] = data
            return
        for count in pieces:
            receive(self, data[: count * REQUEST_SIZE])
            data = data[count * REQUEST_SIZE :]

    monkeypatch.setattr(Connection, "data_received", in_pieces)
    ways, runtime = [Digits("127.0.0.1:0", in_c=False)], "tests.serve.fragile:Fragile"
    with Server(digit_net, listen=None, ways=ways, runtime=runtime, sessions=1) as server:
        address = "127.0.0.1", server.addresses["digits"].port
        with socket.create_connection(address, 60) as client, socket.create_connection(address, 60) as other:
            client.sendall(b"".join(requests))
            replies = b""
            while data := client.recv(65536):
                replies += data
            other.sendall(requests[0] * len(requests))
            good = other.recv(REPLY_SIZE, socket.MSG_WAITALL)
    # What came before it has its reply, also where it came in the same piece.
    first, same = map(decode_reply, (replies, good))
    assert isinstance(first, InferenceReply)
    assert isinstance(same, InferenceReply)
    np.testing.assert_allclose(first.outputs, same.outputs, rtol=1e-5)
