"""Requests of many connections in the digits' protocol, run together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

import numpy as np

from edgerig.errors import EdgerigError, WireError
from edgerig.serve.pool import Pool
from edgerig.serve.records import Records, Times
from edgerig.serve.requests import Request
from edgerig.wire.digits.bulk import inference_replies, request_digits
from edgerig.wire.digits.layout import REPLY_SIZE, REQUEST_SIZE
from edgerig.wire.digits.messages import OUTPUTS

_logger = logging.getLogger(__name__)
#: The way in, in metrics and logs.
NAME = "digits"
#: Pieces that came in rounds of the loop one after another, from which no more are waited for.
ENOUGH = 8


#: The place of replies in those of a connection; None where they are awaited, empty where there will be none.
Entry = list[bytes | None]


class Asker(Protocol):
    """A connection, see `edgerig.serve.ways.digits_connections.Connection`."""

    in_round: int
    since: float

    @property
    def awaits_replies(self) -> bool: ...

    def read(self, data: bytes) -> None: ...

    def expect(self, count: int) -> Entry: ...

    def split(self, entry: Entry, count: int) -> list[Entry]: ...

    def reply(self, entry: Entry, count: int, replies: bytes) -> None: ...


#: A connection, how many of its samples, and the place of their replies.
Piece = tuple[Asker, int, Entry]


class Groups:
    """Requests of many connections, taken together: what numpy does costs as much for one as for fifty.

    Args:
        pool: Runs their digits. records: Hears of each request. shape: Of a digit as the network takes it.
        output: Position of the output with the ten scores. connections: All that there are.
    """

    def __init__(
        self, pool: Pool, records: Records, shape: tuple[int, ...], output: int, connections: AbstractSet[Any]
    ) -> None:
        self.pool, self.records, self.shape, self.output = pool, records, shape, output
        self.connections = connections
        self._arrived: list[tuple[Asker, bytes]] = []
        #: How many there were in the round before.
        self._seen = 0

    def arrive(self, connection: Asker, data: bytes) -> None:
        """Take a piece of whole requests, to be run with all others of this round of the loop, and of those that follow
        at once."""
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._end_round)
        self._arrived.append((connection, data))

    def _end_round(self) -> None:
        if self._seen < len(self._arrived) < ENOUGH and len(self.connections) > 1:
            # As long as each round brings more, as where each request has a connection of its own, they go together.
            self._seen = len(self._arrived)
            asyncio.get_running_loop().call_soon(self._end_round)
            return
        arrived, self._arrived, self._seen = self._arrived, [], 0
        now = time.monotonic()
        for connection, _ in arrived:
            connection.in_round -= 1
            connection.since = now
        arrived = [piece for piece in arrived if piece[0].awaits_replies]
        if not arrived:
            return
        data = arrived[0][1] if len(arrived) == 1 else b"".join([data for _, data in arrived])
        whole = all(len(data) % REQUEST_SIZE == 0 for _, data in arrived)
        if whole and (digits := request_digits(data)) is not None:
            self.submit([(connection, len(data) // REQUEST_SIZE) for connection, data in arrived], digits)
            return
        for connection, data in arrived:
            # One of them has another layout, or is none: each by itself.
            if connection.awaits_replies:
                connection.read(data)

    def submit(self, pieces: list[tuple[Asker, int]], digits: Any) -> None:
        """Run the digits of several connections, so many of each, in portions for each session."""
        most = min(self.pool.batch, self.pool.share(len(digits)))
        portion: list[Piece] = []
        start = count = 0
        for connection, samples in pieces:
            if portion and count + samples > most:
                self._run(portion, digits[start : start + count])
                portion, start, count = [], start + count, 0
            portion.append((connection, samples, connection.expect(samples)))
            count += samples
        self._run(portion, digits[start:])

    def _run(self, pieces: list[Piece], digits: Any) -> None:
        start = time.perf_counter_ns()

        def done(request: Request) -> None:
            self._answered(pieces, request, start)

        try:
            self.pool.submit((digits.reshape(-1, *self.shape),), done, together=True)
        except EdgerigError as error:
            for connection, samples, entry in pieces:
                self._failed(error, connection, samples, entry, start)

    def _answered(self, pieces: list[Piece], request: Request, start: int) -> None:
        error: Exception | None = request.error
        replies = b""
        if request.outputs is not None:
            outputs = request.outputs[self.output].reshape(request.count, OUTPUTS)
            try:
                replies = inference_replies(outputs, _times_ms(request))
            except WireError as not_finite:
                error = not_finite
        if error is None:
            self._send(pieces, replies)
            times = Times(time.perf_counter_ns() - start, request.queue_ns, request.network_ns // request.count)
            conversion_ns = request.input_ns, request.output_ns
            self.records.note(NAME, "ok", times, request.count, len(pieces), conversion_ns)
        elif request.count == 1:
            connection, samples, entry = pieces[0]
            self._failed(error, connection, samples, entry, start)
        elif len(pieces) == 1:
            connection, samples, entry = pieces[0]
            for row, its_own in enumerate(connection.split(entry, samples)):
                # One of the digits is at fault, and those before it have their replies: each by itself.
                self._run([(connection, 1, its_own)], request.rows[0][row : row + 1])
        else:
            first = 0
            for piece in pieces:
                # One of them is at fault: each by itself.
                self._run([piece], request.rows[0][first : first + piece[1]])
                first += piece[1]

    def _send(self, pieces: list[Piece], replies: bytes) -> None:
        first = 0
        for connection, samples, entry in pieces:
            last = first + samples * REPLY_SIZE
            connection.reply(entry, samples, replies[first:last])
            first = last

    def _failed(self, error: Exception, connection: Asker, samples: int, entry: Entry, start: int) -> None:
        _logger.info("a digit stays without a reply: %s", error)
        times = Times(time.perf_counter_ns() - start, 0, 0)
        self.records.note(NAME, type(error).__name__, times, samples)
        connection.reply(entry, samples, b"")


def _times_ms(request: Request) -> Any:
    """The time of each sample's inference; of a network that runs several at once, the longest that it may be."""
    if len(request.times_ns) == request.count:
        return request.times_ns * 1e-6
    return np.full(request.count, request.times_ns.max() * 1e-6)
