"""A TCP socket as the line: one host at a time."""

from __future__ import annotations

import contextlib
import logging
import select
import socket

from edgerig.agent.address import Address, listen
from edgerig.errors import UsageError
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.device.line import LOOK_SECONDS, HostLine
from edgerig.wire.link import TcpLink

_logger = logging.getLogger(__name__)
_READ = 64 * 1024
#: Seconds that a host which is there may take no bytes.
BLOCKED_SECONDS = 10.0
#: What another host is told while one is there.
OCCUPIED = f"e-[{grammar.OCCUPIED}]".encode() + grammar.NEWLINE


class TcpPort(HostLine):
    """A listening socket, and the connection of the host that came first.

    Args:
        address: Where to listen; port 0 takes a free one, `name` then tells which.
        insecure: Whether others than this machine may connect.

    Raises:
        UsageError: The address is open to other machines, or cannot be listened on.
    """

    def __init__(self, address: Address, *, insecure: bool = False) -> None:
        if not (address.loopback or insecure):
            raise UsageError(
                f"{address} can be reached from other machines, and whoever connects runs inferences here.",
                f"Listen on tcp:127.0.0.1:{address.port}, or give --insecure if everybody on that network may do that.",
            )
        self._listener, bound = listen(address)
        self.name = str(bound)
        self._link: TcpLink | None = None
        self._buffer = memoryview(bytearray(_READ))

    def receive(self) -> bytes | None:
        while True:
            poll = select.poll()
            poll.register(self._listener, select.POLLIN)
            if self._link is not None:
                poll.register(self._link.socket, select.POLLIN)
            ready = {fd for fd, _ in poll.poll(LOOK_SECONDS * 1000)}
            if self._link is not None and self._link.socket.fileno() in ready:
                return self._received(self._link)
            if ready:
                self._accept()

    def send(self, data: bytes) -> None:
        if self._link is None:
            return
        try:
            self._link.send([data])
        except OSError as error:
            # The connection is of no use after a part of a line; `receive` sees its end.
            _logger.warning("the host takes no more bytes: %s", error)
            with contextlib.suppress(OSError):
                self._link.socket.shutdown(socket.SHUT_RDWR)

    def host_has_gone(self) -> bool:
        if self._link is None:
            return True
        try:
            return not self._link.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self._listener.close()
        if self._link is not None:
            self._link.close()

    def _received(self, link: TcpLink) -> bytes | None:
        with contextlib.suppress(OSError):
            return bytes(self._buffer[: link.recv_into(self._buffer)])
        link.close()
        self._link = None
        _logger.info("the host has closed its connection")
        return None

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connected, peer = self._listener.accept()
            if self._link is not None:
                _logger.warning("%s was refused: another host is connected", peer[0])
                with connected:
                    connected.send(OCCUPIED)
                return
            self._link = TcpLink(connected)
            self._link.set_timeout(None)
            self._link.grace = BLOCKED_SECONDS
            _logger.info("%s has connected", peer[0])
