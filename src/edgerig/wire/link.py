"""Links: what moves bytes between two peers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from edgerig.wire.pace import Deadline

#: Parameters of TCP's keepalive, where the system has them: a peer that vanished is noticed within 20 seconds.
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3}
#: TCP_USER_TIMEOUT in ms: how long sent data may stay unacknowledged. Keepalive covers idle connections only.
USER_TIMEOUT = 20_000
#: Bytes of a TCP socket's buffers, where the system grants as many: a large message then goes out in one piece, while
#: buffers that the kernel lets grow and shrink make it stop and go.
BUFFER = 4 * 1024 * 1024
#: Seconds after which a blocked send is checked for progress.
_SEND_SECONDS = 2.0
_INT = struct.Struct("@i")
#: What is sent: each of them bytes.
Buffers = Sequence[bytes | bytearray | memoryview]
#: ``struct timeval``, as SO_RCVTIMEO takes it.
_TIMEVAL = struct.Struct("@ll")


class Link(ABC):
    """Moves bytes between two peers.

    Class attributes:
        checked: Whether payloads need a checksum of their own on this link.
        lossless: Whether what was sent arrives, so that several requests may be on their way at once.
        duplex: Whether `send_some` never waits, so that both sides may send large messages at the same time.
    """

    checked = True
    lossless = False
    duplex = False

    @abstractmethod
    def send(self, buffers: Buffers) -> None:
        """Send all buffers, each of them bytes, one after another, whole.

        Raises:
            TimeoutError: The peer takes nothing any more. ConnectionError: it is gone.
        """

    @abstractmethod
    def recv_into(self, view: memoryview) -> int:
        """Receive at least one byte, at most as many as fit into ``view``; how many.

        Raises:
            TimeoutError: Nothing came in time. ConnectionError: the peer closed the link or is gone.
        """

    def recv_within(self, view: memoryview, seconds: float) -> int:
        """As `recv_into`, of a message that has begun: wait ``seconds`` at most, where the link can.

        Raises:
            TimeoutError: Nothing came in time. ConnectionError: the peer closed the link or is gone.
        """
        return self.recv_into(view)

    def send_some(self, buffers: Buffers) -> Buffers:
        """Send what the peer takes without waiting, where the link is ``duplex``; what is left. Else all of it.

        Raises:
            TimeoutError, ConnectionError: As `send`.
        """
        self.send(buffers)
        return ()

    def wait(self) -> bool:
        """Wait until `send_some` can send or something can be received; whether something can be received.

        Raises:
            TimeoutError: Neither happened in time.
        """
        return False

    @abstractmethod
    def set_timeout(self, seconds: float | None) -> None:
        """Seconds that one send or receive may block; None for no limit."""

    @abstractmethod
    def close(self) -> None:
        """Close this end."""


class SocketLink(Link):
    """A link over a connected stream socket.

    Attributes:
        grace: Seconds in which what is sent must move on (`edgerig.wire.pace`); the timeout if None.
    """

    lossless = True
    grace: float | None = None

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        # A subclass, such as that of TLS, has ways of its own to wait.
        self.duplex = type(connected) is socket.socket and os.name == "posix"
        self._timeout: float | None = None
        self._readable: select.poll | None = None

    def send(self, buffers: Buffers) -> None:
        try:
            sent = self.socket.sendmsg(buffers)
        except BlockingIOError:
            sent = 0
        left = _rest(buffers, sent)
        if left:
            self._send_rest(left, sent)

    def _send_rest(self, left: Buffers, sent: int) -> None:
        """Send the rest of a blocked send, as long as the peer keeps accepting enough of it."""
        deadline = self._deadline(sent - self._unsent())
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        while left:
            # Bytes in the kernel's buffers do not count as sent: the buffers are large, and fill at once.
            seconds = deadline.left(sent - self._unsent()) if deadline is not None else _SEND_SECONDS
            if not poll.poll(min(seconds, _SEND_SECONDS) * 1000):
                continue
            with contextlib.suppress(BlockingIOError):
                count = self.socket.sendmsg(left, (), socket.MSG_DONTWAIT)
                left, sent = _rest(left, count), sent + count

    def _deadline(self, moved: int = 0) -> Deadline | None:
        grace = self.grace if self.grace is not None else self._timeout
        return Deadline(grace, moved=moved) if grace is not None else None

    def _unsent(self) -> int:
        """Bytes in the kernel's send buffer, as far as it reports them; of a unix socket with their bookkeeping."""
        try:
            return int(_INT.unpack(fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))[0])
        except OSError:
            return 0

    def recv_within(self, view: memoryview, seconds: float) -> int:
        if self._readable is None:
            self._readable = select.poll()
            self._readable.register(self.socket, select.POLLIN)
        if not self._readable.poll(seconds * 1000):
            raise TimeoutError("nothing came in time")
        return self.recv_into(view)

    def recv_into(self, view: memoryview) -> int:
        try:
            got = self.socket.recv_into(view)
        except BlockingIOError as error:
            raise TimeoutError("nothing came in time") from error
        if not got:
            raise ConnectionResetError("the other side closed the connection")
        return got

    def send_some(self, buffers: Buffers) -> Buffers:
        if not self.duplex:
            return super().send_some(buffers)
        try:
            return _rest(buffers, self.socket.sendmsg(buffers, (), socket.MSG_DONTWAIT))
        except BlockingIOError:
            return buffers

    def wait(self) -> bool:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN | select.POLLOUT)
        events = poll.poll(None if self._timeout is None else self._timeout * 1000)
        if not events:
            raise TimeoutError("the other side neither takes nor gives anything any more")
        return bool(events[0][1] & ~select.POLLOUT)

    def set_timeout(self, seconds: float | None) -> None:
        self._timeout = seconds
        if not self.duplex:
            self.socket.settimeout(seconds)
            return
        # With a timeout of Python's own, every send and receive would cost a second system call, to wait.
        self.socket.settimeout(None)
        # `_send_rest` continues a send that blocks for a while, and sees how far it got.
        brief = _SEND_SECONDS if seconds is None else min(seconds, _SEND_SECONDS)
        for option, limit in ((socket.SO_RCVTIMEO, seconds), (socket.SO_SNDTIMEO, brief)):
            micros = 0 if limit is None else max(1, round(limit * 1e6))
            self.socket.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(*divmod(micros, 1_000_000)))

    def close(self) -> None:
        self.socket.close()


def _rest(buffers: Buffers, sent: int) -> list[bytes | bytearray | memoryview]:
    """What is left of ``buffers`` after the first ``sent`` bytes."""
    left: list[bytes | bytearray | memoryview] = []
    for part in buffers:
        length = len(part)
        if sent < length:
            left.append(memoryview(part)[sent:] if sent else part)
            sent = length
        sent -= length
    return left


class DeadlineLink(Link):
    """A link whose receiving as a whole must end at a deadline: a byte now and then does not keep it open.

    Args:
        link: What is received from. Its timeout is changed.
        deadline: On the clock of `time.monotonic`.
    """

    def __init__(self, link: Link, deadline: float) -> None:
        self.link, self.deadline = link, deadline
        self.checked, self.lossless = link.checked, link.lossless

    def send(self, buffers: Buffers) -> None:
        self.link.send(buffers)

    def recv_into(self, view: memoryview) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it did not introduce itself in time")
        self.link.set_timeout(left)
        return self.link.recv_into(view)

    def set_timeout(self, seconds: float | None) -> None:
        self.link.set_timeout(seconds)

    def close(self) -> None:
        self.link.close()


class PairLink(SocketLink):
    """One end of a socket pair: the bytes never leave the kernel's memory, so payloads need no checksum."""

    checked = False


class TcpLink(SocketLink):
    """A TCP connection: sent at once, and dead peers are noticed."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected)
        tune(connected)


def tune(connected: socket.socket) -> None:
    """Let a TCP socket send small messages at once, and notice peers that vanished."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT)
    for name, direction in (("wmem_max", socket.SO_SNDBUF), ("rmem_max", socket.SO_RCVBUF)):
        # A fixed size ends the kernel's own tuning, so it must not be a small one.
        if _allowed(name) >= BUFFER:
            connected.setsockopt(socket.SOL_SOCKET, direction, BUFFER)


@lru_cache(2)
def _allowed(name: str) -> int:
    """The largest socket buffer in bytes that Linux grants, 0 on other systems."""
    try:
        return int(Path("/proc/sys/net/core", name).read_text())
    except (OSError, ValueError):
        return 0


def connect_tcp(host: str, port: int, timeout: float) -> TcpLink:
    """A TCP connection to ``host``.

    Raises:
        OSError: There is none to be had; the caller knows what to say about it.
    """
    connected = socket.create_connection((host, port), timeout)
    return TcpLink(connected)
