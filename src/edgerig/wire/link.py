"""Links: what moves bytes between two peers."""

from __future__ import annotations

import os
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence

#: Parameters of TCP's keepalive, where the system has them: a peer that vanished is noticed within 20 seconds.
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3}
#: What is sent: each of them bytes.
Buffers = Sequence[bytes | bytearray | memoryview]
#: ``struct timeval``, as SO_RCVTIMEO takes it.
_TIMEVAL = struct.Struct("@ll")


class Link(ABC):
    """Moves bytes between two peers.

    Class attributes:
        checked: Whether payloads need a checksum of their own on this link.
    """

    checked = True

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

    @abstractmethod
    def set_timeout(self, seconds: float | None) -> None:
        """How long one send or receive may stand still; None for ever."""

    @abstractmethod
    def close(self) -> None:
        """Close this end."""


class SocketLink(Link):
    """A link over a connected stream socket."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected

    def send(self, buffers: Buffers) -> None:
        try:
            sent = self.socket.sendmsg(buffers)
            for part in buffers:
                length = len(part)
                if sent >= length:
                    sent -= length
                    continue
                self.socket.sendall(memoryview(part)[sent:])
                sent = 0
        except BlockingIOError as error:
            raise TimeoutError("the other side takes nothing any more") from error

    def recv_into(self, view: memoryview) -> int:
        try:
            got = self.socket.recv_into(view)
        except BlockingIOError as error:
            raise TimeoutError("nothing came in time") from error
        if not got:
            raise ConnectionResetError("the other side closed the connection")
        return got

    def set_timeout(self, seconds: float | None) -> None:
        # A subclass, such as that of TLS, has ways of its own to wait.
        if type(self.socket) is not socket.socket or os.name != "posix":
            self.socket.settimeout(seconds)
            return
        # With a timeout of Python's own, every send and receive would cost a second system call, to wait.
        self.socket.settimeout(None)
        micros = 0 if seconds is None else max(1, round(seconds * 1e6))
        value = _TIMEVAL.pack(*divmod(micros, 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option, value)

    def close(self) -> None:
        self.socket.close()


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


def connect_tcp(host: str, port: int, timeout: float) -> TcpLink:
    """A TCP connection to ``host``.

    Raises:
        OSError: There is none to be had; the caller knows what to say about it.
    """
    connected = socket.create_connection((host, port), timeout)
    return TcpLink(connected)
