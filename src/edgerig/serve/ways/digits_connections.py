"""Connections in the digits' protocol."""

from __future__ import annotations

import asyncio
import collections
import time
from typing import cast

from edgerig.errors import EdgerigError, WireError
from edgerig.serve.pool import Pool
from edgerig.serve.records import Records, Times
from edgerig.serve.sockets import delivered, undelivered
from edgerig.serve.ways.digits_groups import NAME, Groups
from edgerig.wire.digits.bulk import request_digits
from edgerig.wire.digits.decode import decode_request
from edgerig.wire.digits.layout import REQUEST_HEAD, REQUEST_SIZE
from edgerig.wire.digits.messages import PIXELS, InferenceRequest
from edgerig.wire.digits.stream import MessageStream

#: Samples of a connection that may be under way; above the first number no more is read, below the second again.
PAUSE_ABOVE, RESUME_BELOW = 256, 128
#: Seconds in which a request that has begun must be whole; in which a client must have taken some of the replies that
#: are there for it; and that a connection may be silent. A system tells of what its program has taken once that is a
#: sixteenth of its buffer, on loopback 64 KB: with 30 s who takes 2 kB a second seemed to take nothing.
REQUEST_SECONDS, TAKING_SECONDS, IDLE_SECONDS = 30.0, 300.0, 900.0


class Clients:
    """All connections of a server.

    Args:
        pool: Runs their digits. records: Hears of each request. stats: The reply to a request for statistics.
        shape: Of a digit as the network takes it. output: Position of the output with the ten scores.

    Attributes:
        stopping: Whether new connections are turned away.
    """

    def __init__(self, pool: Pool, records: Records, stats: bytes, shape: tuple[int, ...], output: int) -> None:
        self.records, self.stats = records, stats
        self.connections: set[Connection] = set()
        self.stopping = False
        self.groups = Groups(pool, records, shape, output, self.connections)


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
        #: Whether a request stays without a reply: an answer to one behind it would be taken for its own.
        self.refused = False
        self.since = 0.0
        #: Bytes that the client had not taken when that was looked at last.
        self.undelivered = 0

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
        if not self.replies and (self.refused or not self.in_round):
            self.transport.close()

    def end_delivered(self) -> None:
        """End it if all of it was finished, and the client has all replies."""
        if delivered(self.transport):
            self.transport.abort()

    @property
    def awaits_replies(self) -> bool:
        """Whether there is somebody who takes replies to what comes now."""
        return not (self.gone or self.refused)

    def overdue(self, now: float) -> bool:
        """Whether nothing is under way, and a request has begun too long ago, or the last one is too long ago; or
        replies are there that the client has taken nothing of for too long."""
        waiting = self.partial or (self.stream is not None and self.stream.pending)
        blocked = self.transport.get_write_buffer_size() > 0
        closing = self.transport.is_closing()
        before, self.undelivered = self.undelivered, undelivered(self.transport)
        if self.undelivered < before and (blocked or closing):
            self.since = now
        longest = REQUEST_SECONDS if waiting or closing else IDLE_SECONDS
        if blocked or (closing and self.undelivered):
            longest = TAKING_SECONDS
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
            self.partial, rest = b"", data[count * REQUEST_SIZE :]
            self.clients.groups.submit([(self, count)], digits)
            if _may_become_request(rest):
                self.partial = rest
            else:
                self.stream = MessageStream()
                self._read_any(rest)
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
            while self.awaits_replies and (message := self.stream.next()) is not None:
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

    def split(self, entry: list[bytes | None], count: int) -> list[list[bytes | None]]:
        """Places of their own for the replies to each of the ``count`` samples of an entry."""
        entries: list[list[bytes | None]] = [[None] for _ in range(count)]
        position = next((position for position, other in enumerate(self.replies) if other is entry), None)
        if position is not None:  # else it has ended before
            del self.replies[position]
            for each in reversed(entries):
                self.replies.insert(position, each)
        return entries

    def refuse(self, error: EdgerigError) -> None:
        """The protocol has no word for a refusal: the connection ends after the answers that are due."""
        self.clients.records.note(NAME, type(error).__name__, Times(0, 0, 0))
        self.refused = True
        self.finish()

    def reply(self, entry: list[bytes | None], count: int, replies: bytes) -> None:
        """The replies to ``count`` samples; none at all end the connection when it is their turn."""
        self.under_way -= count
        entry[0] = replies
        if not self.gone:
            self.flush()

    def flush(self) -> None:
        """Send the replies whose turn it is."""
        if self.transport.is_closing():
            return
        replies = self.replies
        while replies and (reply := replies[0][0]) is not None:
            replies.popleft()
            if not reply:
                # That sample failed: it, and those behind it, stay without a reply.
                self.ending = self.refused = True
                replies.clear()
                break
            self.transport.write(reply)
        self.since = time.monotonic()
        if self.ending and not replies and (self.refused or not self.in_round):
            self.transport.close()
        elif self.paused and self.under_way < RESUME_BELOW:
            self.paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()


def _may_become_request(data: bytes) -> bool:
    """Whether bytes that are too few for an inference request are the beginning of one in the canonical layout."""
    length = min(len(data), len(REQUEST_HEAD))
    return data[:length] == REQUEST_HEAD[:length]
