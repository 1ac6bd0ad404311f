"""Requests of several connections that come one after another go to the network together; those of a single one do not
wait for more."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgerig.serve.ways.digits_connections import ENOUGH, Groups
from edgerig.wire.digits import encode_inference_request

DIGITS = np.random.default_rng(0).random((3 * ENOUGH, 784)).astype(np.float32)


async def taken(connections: int, count: int, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The numbers of the digits that are run together, of so many that come in a round of the loop each."""
    clients = [SimpleNamespace(in_round=0, since=0.0, gone=False) for _ in range(connections)]
    owner: Any = SimpleNamespace(connections=set(range(connections)))
    groups, runs = Groups(owner), list[list[int]]()

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
