"""One connection of a load."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from edgerig.serve.stress.load import Load
from edgerig.serve.stress.replies import FailedReply, Parser
from edgerig.serve.stress.tls import context_of

#: A server that is gone, or was never there.
REFUSED = "connection refused"
#: Errors of a socket in words. Those of this machine are the tool's limits, not the server's.
KINDS = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ETIMEDOUT: "connection timed out",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EADDRNOTAVAIL: "tool: no local port left",
    errno.EMFILE: "tool: too many open files",
    errno.ENFILE: "tool: too many open files",
}
#: How failures begin that are the tool's own.
OWN = "tool: "


def kind_of(error: BaseException) -> str:
    """A failure of a connection in a few words, the same for the same failure."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in KINDS:
        return KINDS[error.errno]
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'failed').replace('_', ' ').lower()}"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    return f"connection failed: {type(error).__name__}"


class Owner(Protocol):
    """Who decides what a slot does, and counts what comes of it."""

    load: Load

    def opened(self, slot: Slot, nanoseconds: int | None) -> None:
        """A connection was opened in so many ns; None if it could not be."""

    def answered(self, slot: Slot, server_ns: int | None) -> None:
        """A request was answered."""

    def failed(self, slot: Slot, kind: str) -> None:
        """A request failed."""


class Slot(ABC):
    """A connection with at most one open request.

    Attributes:
        busy: Whether a request is open.
        due, begun: When that was due, and when it was begun, in ns of `time.monotonic_ns`.
        left: Requests that it has yet to make, in a closed loop.
    """

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.busy = False
        self.due = self.begun = 0
        self.left = 0

    def begin(self, due: int) -> None:
        """Make a request that was due at ``due``."""
        self.due, self.busy, self.begun = due, True, time.monotonic_ns()
        self.ask()

    def end(self, server_ns: int | None) -> None:
        """The request was answered."""
        if self.busy:
            self.busy = False
            self.owner.answered(self, server_ns)

    def fail(self, kind: str) -> None:
        """The request failed."""
        if self.busy:
            self.busy = False
            self.owner.failed(self, kind)

    @abstractmethod
    def open(self) -> None:
        """Open the connection before there is a request; `Owner.opened` is called then."""

    @abstractmethod
    def ask(self) -> None:
        """Send the request, on a new connection if there is none."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close the connection, and forget what is on it."""


class StreamSlot(Slot):
    """A TCP connection.

    Args:
        request: The bytes of a request. parser: makes what reads the replies of a connection.
    """

    def __init__(self, owner: Owner, request: bytes, parser: Callable[[], Parser]) -> None:
        super().__init__(owner)
        self.request, self.new_parser = request, parser
        self.parser = parser()
        self.transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._opened = 0

    def open(self) -> None:
        self._opened = time.monotonic_ns()
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def ask(self) -> None:
        if self.transport is None:
            if self._connecting is None:
                self.open()
            return
        self.transport.write(self.request)

    async def _connect(self) -> None:
        load = self.owner.load
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), load.host, load.port, ssl=context_of(load)
            )
        except OSError as error:
            self._connecting = None
            self.owner.opened(self, None)
            self.fail(kind_of(error))

    def connected(self, transport: asyncio.Transport) -> None:
        """A connection is there."""
        self.transport, self.parser = transport, self.new_parser()
        self._connecting = None
        self.owner.opened(self, time.monotonic_ns() - self._opened)
        if self.busy:
            self.ask()

    def received(self, transport: asyncio.Transport, data: bytes) -> None:
        """Bytes came on it."""
        if transport is not self.transport:
            return
        if not self.busy:
            # The reply before was not what it seemed to be; what follows on this connection means nothing.
            self.hang_up()
            return
        try:
            reply = self.parser.feed(data)
        except FailedReply as failure:
            if failure.closes:
                self.hang_up()
            self.fail(failure.kind)
            return
        if reply is not None:
            if reply.closes:
                self.hang_up()
            self.end(reply.server_ns)

    def lost(self, transport: asyncio.Transport | None, error: Exception | None) -> None:
        """It was closed."""
        if transport is self.transport:
            self.transport = None
            self.fail("connection closed before the reply" if error is None else kind_of(error))

    def hang_up(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.abort() if self.busy else transport.close()


class _Connection(asyncio.Protocol):
    """One connection of a slot, whose late events are told from those of its next one."""

    def __init__(self, slot: StreamSlot) -> None:
        self.slot = slot
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.slot.connected(transport)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.slot.received(self.transport, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.slot.lost(self.transport, exc)
