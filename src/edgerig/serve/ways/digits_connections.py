"""Connections in the digits' protocol, and what their requests have in common."""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from typing import Any, cast

import numpy as np

from edgerig.errors import EdgerigError, WireError
from edgerig.serve.pool import Pool
from edgerig.serve.records import Records, Times
from edgerig.serve.requests import Request
from edgerig.wire.digits.bulk import inference_replies, request_digits
from edgerig.wire.digits.decode import decode_request
from edgerig.wire.digits.layout import REPLY_SIZE, REQUEST_HEAD, REQUEST_SIZE
from edgerig.wire.digits.messages import OUTPUTS, PIXELS, InferenceRequest
from edgerig.wire.digits.stream import MessageStream

_logger = logging.getLogger(__name__)
#: The way in, in metrics and logs.
NAME = "digits"
#: Samples of a connection that may be under way; above the first number no more is read, below the second again.
PAUSE_ABOVE, RESUME_BELOW = 256, 128
#: Pieces that came in rounds of the loop one after another, from which no more are waited for.
ENOUGH = 8
#: Seconds in which a request that has begun must be whole, and that a connection may be silent.
REQUEST_SECONDS, IDLE_SECONDS = 30.0, 900.0


class Clients:
    """All connections of a server.

    Args:
        pool: Runs their digits. records: Hears of each request. stats: The reply to a request for statistics.
        shape: Of a digit as the network takes it. output: Position of the output with the ten scores.

    Attributes:
        stopping: Whether new connections are turned away.
    """

    def __init__(self, pool: Pool, records: Records, stats: bytes, shape: tuple[int, ...], output: int) -> None:
        self.pool, self.records, self.stats, self.shape, self.output = pool, records, stats, shape, output
        self.connections: set[Connection] = set()
        self.stopping = False
        self.groups = Groups(self)


class Connection(asyncio.Protocol):
    """A client: its requests are answered in their order."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.transport: asyncio.Transport
        #: Bytes of a request that is not whole; and the reader of other layouts than the canonical one.
        self.partial = b""
        self.stream: MessageStream | None = None
        #: Replies in the order of their requests; None where one is awaited, empty where there will be none.
        self.replies: collections.deque[list[bytes | None]] = collections.deque()
        #: Samples without a reply. in_round: pieces that wait for the end of this round of the loop.
        self.under_way = self.in_round = 0
        self.paused = self.ending = self.gone = False
        self.since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of classes of their own.
        self.transport, self.since = cast(asyncio.Transport, transport), time.monotonic()
        self.clients.connections.add(self)
        self.clients.records.connected(NAME, 1)
        if self.clients.stopping:
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.ending = self.gone = True
        self.clients.connections.discard(self)
        self.clients.records.connected(NAME, -1)

    def eof_received(self) -> bool:
        """The client sends no more; it may still read."""
        self.finish()
        return not self.transport.is_closing()

    def finish(self) -> None:
        """Take no more requests, and hang up when those that came are answered."""
        self.ending = True
        if not self.replies and not self.in_round:
            self.transport.close()

    def overdue(self, now: float) -> bool:
        """Whether nothing is under way, and a request has begun too long ago, or the last one is too long ago."""
        waiting = self.partial or (self.stream is not None and self.stream.pending)
        blocked = self.transport.get_write_buffer_size() > 0
        longest = REQUEST_SECONDS if waiting or blocked else IDLE_SECONDS
        return (blocked or not self.replies) and now - self.since > longest

    # ---- requests

    def data_received(self, data: bytes) -> None:
        if self.ending:
            return
        if self.in_round or not (self.partial or self.stream is not None or len(data) % REQUEST_SIZE):
            self.in_round += 1
            self.clients.groups.arrive(self, data)
        else:
            self.read(data)

    def read(self, data: bytes) -> None:
        """Requests, whole or not, of whichever layout."""
        if not self.partial:
            self.since = time.monotonic()
        if self.stream is not None:
            self._read_any(data)
            return
        if self.partial:
            data = self.partial + data
        count = len(data) // REQUEST_SIZE
        if count and (digits := request_digits(data)) is not None:
            self.partial = data[count * REQUEST_SIZE :]
            self.clients.groups.submit([(self, count)], digits)
        elif count or not _may_become_request(data):
            self.partial, self.stream = b"", MessageStream()
            self._read_any(data)
        else:
            self.partial = data

    def _read_any(self, data: bytes) -> None:
        """Requests of whichever layout, one by one."""
        assert self.stream is not None
        try:
            self.stream.feed(data)
            while not self.gone and (message := self.stream.next()) is not None:
                request = decode_request(message)
                if isinstance(request, InferenceRequest):
                    self.clients.groups.submit([(self, 1)], request.digit.reshape(1, PIXELS))
                else:
                    self.replies.append([self.clients.stats])
                    self.flush()
            if not self.stream.pending:
                self.stream = None
        except WireError as error:
            self.refuse(error)

    def expect(self, count: int) -> list[bytes | None]:
        """The place of the replies to the next ``count`` samples."""
        entry: list[bytes | None] = [None]
        self.replies.append(entry)
        self.under_way += count
        if self.under_way > PAUSE_ABOVE and not self.paused:
            self.paused = True
            self.transport.pause_reading()
        return entry

    def refuse(self, error: EdgerigError) -> None:
        """The protocol has no word for a refusal: the connection ends after the answers that are due."""
        self.clients.records.note(NAME, type(error).__name__, Times(0, 0, 0))
        self.finish()

    def reply(self, entry: list[bytes | None], count: int, replies: bytes) -> None:
        """The replies to ``count`` samples; none at all end the connection when it is their turn."""
        self.under_way -= count
        entry[0] = replies
        if not self.gone:
            self.flush()

    def flush(self) -> None:
        """Send the replies whose turn it is."""
        replies = self.replies
        while replies and (reply := replies[0][0]) is not None:
            replies.popleft()
            if not reply:
                # That sample failed: it, and those behind it, stay without a reply.
                self.ending = True
                replies.clear()
                break
            self.transport.write(reply)
        self.since = time.monotonic()
        if self.ending and not replies and not self.in_round:
            self.transport.close()
        elif self.paused and self.under_way < RESUME_BELOW:
            self.paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()


class Groups:
    """Requests of many connections, taken together: what numpy does costs as much for one as for fifty."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self._arrived: list[tuple[Connection, bytes]] = []
        #: How many there were in the round before.
        self._seen = 0

    def arrive(self, connection: Connection, data: bytes) -> None:
        """Take a piece of whole requests, to be run with all others of this round of the loop, and of those that follow
        at once."""
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._end_round)
        self._arrived.append((connection, data))

    def _end_round(self) -> None:
        if self._seen < len(self._arrived) < ENOUGH and len(self.clients.connections) > 1:
            # As long as each round brings more, as where each request has a connection of its own, they go together.
            self._seen = len(self._arrived)
            asyncio.get_running_loop().call_soon(self._end_round)
            return
        arrived, self._arrived, self._seen = self._arrived, [], 0
        now = time.monotonic()
        for connection, _ in arrived:
            connection.in_round -= 1
            connection.since = now
        data = arrived[0][1] if len(arrived) == 1 else b"".join([data for _, data in arrived])
        whole = all(len(data) % REQUEST_SIZE == 0 for _, data in arrived)
        if whole and (digits := request_digits(data)) is not None:
            self.submit([(connection, len(data) // REQUEST_SIZE) for connection, data in arrived], digits)
            return
        for connection, data in arrived:
            # One of them has another layout, or is none: each by itself.
            if not connection.gone:
                connection.read(data)

    def submit(self, pieces: list[tuple[Connection, int]], digits: Any) -> None:
        """Run the digits of several connections, so many of each, in portions for each session."""
        most = min(self.clients.pool.batch, self.clients.pool.share(len(digits)))
        portion, start, count = list[tuple[Connection, int, list[bytes | None]]](), 0, 0
        for connection, samples in pieces:
            if portion and count + samples > most:
                self._run(portion, digits[start : start + count])
                portion, start, count = [], start + count, 0
            portion.append((connection, samples, connection.expect(samples)))
            count += samples
        self._run(portion, digits[start:])

    def _run(self, pieces: list[tuple[Connection, int, list[bytes | None]]], digits: Any) -> None:
        start = time.perf_counter_ns()

        def done(request: Request) -> None:
            self._answered(pieces, request, start)

        try:
            self.clients.pool.submit((digits.reshape(-1, *self.clients.shape),), done, together=True)
        except EdgerigError as error:
            for connection, samples, entry in pieces:
                self._failed(error, connection, samples, entry, start)

    def _answered(self, pieces: list[tuple[Connection, int, list[bytes | None]]], request: Request, start: int) -> None:
        error: Exception | None = request.error
        replies = b""
        if request.outputs is not None:
            outputs = request.outputs[self.clients.output].reshape(request.count, OUTPUTS)
            try:
                replies = inference_replies(outputs, _times_ms(request))
            except WireError as not_finite:
                error = not_finite
        if error is None:
            self._send(pieces, replies)
            times = Times(time.perf_counter_ns() - start, request.queue_ns, request.network_ns // request.count)
            conversion_ns = request.input_ns, request.output_ns
            self.clients.records.note(NAME, "ok", times, request.count, len(pieces), conversion_ns)
        elif len(pieces) == 1:
            connection, samples, entry = pieces[0]
            self._failed(error, connection, samples, entry, start)
        else:
            first = 0
            for piece in pieces:
                # One of them is at fault: each by itself.
                self._run([piece], request.rows[0][first : first + piece[1]])
                first += piece[1]

    def _send(self, pieces: list[tuple[Connection, int, list[bytes | None]]], replies: bytes) -> None:
        first = 0
        for connection, samples, entry in pieces:
            last = first + samples * REPLY_SIZE
            connection.reply(entry, samples, replies[first:last])
            first = last

    def _failed(
        self, error: Exception, connection: Connection, samples: int, entry: list[bytes | None], start: int
    ) -> None:
        _logger.info("a digit stays without a reply: %s", error)
        times = Times(time.perf_counter_ns() - start, 0, 0)
        self.clients.records.note(NAME, type(error).__name__, times, samples)
        connection.reply(entry, samples, b"")


def _times_ms(request: Request) -> Any:
    """The time of each sample's inference; of a network that runs several at once, the longest that it may be."""
    if len(request.times_ns) == request.count:
        return request.times_ns * 1e-6
    return np.full(request.count, request.times_ns.max() * 1e-6)


def _may_become_request(data: bytes) -> bool:
    """Whether bytes that are too few for an inference request are the beginning of one in the canonical layout."""
    length = min(len(data), len(REQUEST_HEAD))
    return data[:length] == REQUEST_HEAD[:length]
