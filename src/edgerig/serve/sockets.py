"""Bytes of many connections, moved in one look at all of them in each round of the event loop.

An event loop lets in one client a round, asks for its addresses, sets its options and tells the kernel of it each by
itself, which costs more than a small network. Here the connections have an ``epoll`` of their own, which the loop
watches: everybody who waits is let in and all that came is read in one round, with 7 calls of the kernel for a
connection of one request instead of 12.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import select
import socket
import sys
import termios
from collections.abc import Callable
from typing import Any, Protocol

_logger = logging.getLogger(__name__)
#: Connections that are let in, and that are looked at, in a round.
ACCEPTED, LOOKED_AT = 128, 1024
#: Bytes that are read of a connection in a round.
READ_BYTES = 256 << 10
#: Seconds until it is tried again to let somebody in, where this process has no descriptor or memory left for it.
PAUSE = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def available() -> bool:
    """Whether this system has what it needs: Linux."""
    return hasattr(select, "epoll")


def in_flight(descriptor: int) -> int:
    """Bytes that were sent and that the other side's system has not confirmed; 0 where the connection has gone."""
    if descriptor < 0 or not hasattr(termios, "TIOCOUTQ"):
        return 0
    return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def undelivered(transport: Any) -> int:
    """Bytes that were written to a transport, of asyncio or not, and that the client's system has not confirmed."""
    if hasattr(transport, "undelivered"):
        return int(transport.undelivered)
    connection = transport.get_extra_info("socket")
    sent = in_flight(connection.fileno()) if connection is not None else 0
    return int(transport.get_write_buffer_size()) + sent


def delivered(transport: Any) -> bool:
    """Whether a transport has ended here, and the client's system is known to have confirmed that it has everything."""
    return bool(getattr(transport, "delivered", False))


class Receiver(Protocol):
    """What an `asyncio.Protocol` is called with; the transport is a `SocketTransport`."""

    def connection_made(self, transport: Any, /) -> None: ...
    def data_received(self, data: bytes, /) -> None: ...
    def eof_received(self) -> bool | None: ...
    def connection_lost(self, error: Exception | None, /) -> None: ...


class SocketServer:
    """Lets clients in, and moves their bytes; used on the event loop that runs when it is made.

    Args:
        listener: Listens, and does not block; the server's from now on.
        receiver: Makes what hears of a connection.

    Attributes:
        epoll: What connections wait for. transports: Those that there are, by their descriptors.
        space, view: What is read next.
    """

    def __init__(self, listener: socket.socket, receiver: Callable[[], Receiver]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._receiver = listener, receiver
        # Connections have it from their listener: replies are not to wait for one another.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.space = bytearray(READ_BYTES)
        self.view = memoryview(self.space)
        self.epoll = select.epoll()
        self.transports: dict[int, SocketTransport] = {}
        self._lost: list[tuple[SocketTransport, Exception | None]] = []
        self._accepting = False
        self._resume: asyncio.TimerHandle | None = None
        self._listen()
        self._loop.add_reader(self.epoll.fileno(), self._look)

    def close(self) -> None:
        """Let nobody in any more; connections go on."""
        if self._resume is not None:
            self._resume.cancel()
        if self._accepting:
            self._accepting = False
            self.epoll.unregister(self._listener)
        self._listener.close()

    def end(self) -> None:
        """End all connections, at once; does nothing where they have ended."""
        if self.epoll.closed:
            return
        self.close()
        for transport in list(self.transports.values()):
            transport.abort()
        self._loop.remove_reader(self.epoll.fileno())
        self.epoll.close()

    def _listen(self) -> None:
        self._resume, self._accepting = None, True
        self.epoll.register(self._listener, select.EPOLLIN)

    def _look(self) -> None:
        listener, waiting = self._listener.fileno(), False
        for descriptor, event in self.epoll.poll(0, LOOKED_AT):
            if descriptor == listener:
                waiting = True
            elif (transport := self.transports.get(descriptor)) is not None:
                transport.ready(event)
        if waiting and self._accepting:
            # Behind the others: whoever comes may get the number of a connection that ended in this round.
            self._accept()

    def _accept(self) -> None:
        for _ in range(ACCEPTED):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                _logger.warning("nobody is let in for a second: %s", error.strerror)
                self._accepting = False
                self.epoll.unregister(self._listener)
                self._resume = self._loop.call_later(PAUSE, self._listen)
                return
            try:
                SocketTransport(self, client, self._receiver()).begin()
            except Exception:
                _logger.exception("a connection failed")
                client.close()

    def lost(self, transport: SocketTransport, error: Exception | None) -> None:
        """Tell a receiver of its end, in the next round of the loop: it may be in the middle of something."""
        if not self._lost:
            self._loop.call_soon(self._tell)
        self._lost.append((transport, error))

    def _tell(self) -> None:
        lost, self._lost = self._lost, []
        for transport, error in lost:
            transport.receiver.connection_lost(error)


class SocketTransport:
    """A connection, with the methods of an `asyncio.Transport` that are of use.

    Attributes:
        receiver: Hears of it.
    """

    __slots__ = (
        "_closing", "_descriptor", "_draining", "_ended", "_reading", "_server", "_socket", "_unsent", "_watched",
        "receiver",
    )  # fmt: skip

    def __init__(self, server: SocketServer, client: socket.socket, receiver: Receiver) -> None:
        self._server, self._socket, self.receiver = server, client, receiver
        self._descriptor = client.fileno()
        self._unsent = b""
        self._closing, self._reading, self._watched = False, True, select.EPOLLIN
        #: Whether the client has said all; and whether all is sent, and what still comes is read and dropped.
        self._ended = self._draining = False

    def begin(self) -> None:
        """Look after it from now on."""
        self._server.epoll.register(self._descriptor, select.EPOLLIN)
        self._server.transports[self._descriptor] = self
        self.receiver.connection_made(self)
        if self._reading and not self._closing:
            # Mostly the request is there by now.
            self._receive()

    def ready(self, event: int) -> None:
        """Do what can be done now."""
        if self._draining:
            self._drain()
            return
        if event & select.EPOLLOUT:
            self._send()
        if event & select.EPOLLIN and self._reading and not self._closing:
            self._receive()
        elif event & (select.EPOLLHUP | select.EPOLLERR):
            self._lose(None)

    def write(self, data: bytes) -> None:
        """Send bytes, now or as soon as the client takes them."""
        if self._closing or not data:
            return
        if self._unsent:
            self._unsent += data
            return
        self._unsent = data
        self._send()

    def close(self) -> None:
        """Take no more, and end when everything is sent, and the client has ended it too or is aborted."""
        if not self._closing:
            self._closing = True
            self._hang_up()

    def abort(self) -> None:
        """End at once."""
        self._lose(None)

    def is_closing(self) -> bool:
        """Whether it has ended, or will when everything is sent."""
        return self._closing

    @property
    def delivered(self) -> bool:
        """Whether it has ended here, and the client's system has confirmed that it has everything."""
        return self._draining and self._descriptor >= 0 and not in_flight(self._descriptor)

    @property
    def undelivered(self) -> int:
        """Bytes that were written and that the client's system has not confirmed."""
        return len(self._unsent) + in_flight(self._descriptor)

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet."""
        return len(self._unsent)

    def pause_reading(self) -> None:
        """Leave what comes with the system."""
        self._reading = False
        self._watch()

    def resume_reading(self) -> None:
        """Take it again."""
        self._reading = True
        self._watch()

    def _receive(self) -> None:
        server = self._server
        try:
            count = self._socket.recv_into(server.space, 0, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        try:
            if count:
                self.receiver.data_received(bytes(server.view[:count]))
                return
            self._reading, self._ended = False, True
            if not self.receiver.eof_received():
                self.close()
        except Exception:
            # One client's fault must not end the round of the others.
            _logger.exception("a connection failed")
            self._lose(None)
        self._watch()

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        self._unsent = self._unsent[sent:]
        if self._closing and not self._unsent:
            self._hang_up()
        elif self._unsent or self._watched & select.EPOLLOUT:
            self._watch()

    def _hang_up(self) -> None:
        """End it once the client has all: closed with something to read it is reset, and what is on its way lost."""
        if self._unsent:
            self._watch()
            return
        try:
            if not self._ended:
                self._socket.shutdown(socket.SHUT_WR)
                self._draining = True
                self._watch()
                return
        except OSError:  # it has gone
            pass
        self._lose(None)

    def _drain(self) -> None:
        try:
            if self._socket.recv_into(self._server.space, 0, socket.MSG_DONTWAIT):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # it has gone
            pass
        self._lose(None)

    def _watch(self) -> None:
        """Have it looked at for what it waits for."""
        reads = self._draining or (self._reading and not self._closing)
        wanted = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if self._unsent else 0)
        if self._descriptor >= 0 and wanted != self._watched:
            self._watched = wanted
            self._server.epoll.modify(self._descriptor, wanted)

    def _lose(self, error: Exception | None) -> None:
        if self._descriptor < 0:
            return
        del self._server.transports[self._descriptor]
        self._descriptor, self._closing, self._unsent = -1, True, b""
        # The system forgets it with its descriptor.
        self._socket.close()
        self._server.lost(self, error)
