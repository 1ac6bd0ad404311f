"""Moves bytes between a TLS connection, which one process must keep to itself, and a worker's socket pair.

The device's key stays in the agent: a worker, which runs untrusted networks, never has it. One thread does both ways,
because OpenSSL's connections do not bear two.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable

#: Bytes under way in each direction; a TLS record holds 16 KiB.
BUFFER = 256 * 1024
_TICK = 0.5
#: Pause after a poll without usable events: a side that has hung up keeps reporting that.
_PAUSE = 0.005


class _Direction:
    """One direction: bytes that were read and not written yet."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(BUFFER))
        self.start = self.end = 0
        self.over = False

    @property
    def empty(self) -> bool:
        return self.start == self.end

    def fill(self, read: Callable[[memoryview], int]) -> bool:
        """Read once, if everything before was written; whether anything came. Notices the end."""
        if not self.empty or self.over:
            return False
        self.start, self.end = 0, 0
        try:
            self.end = read(self.buffer)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            self.over = True
            return False
        self.over = self.end == 0
        return not self.over

    def drain(self, write: Callable[[memoryview], int]) -> bool:
        """Write what can be written; whether anything was."""
        moved = False
        while not self.empty:
            try:
                self.start += write(self.buffer[self.start : self.end])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return moved
            except OSError:
                self.start = self.end = 0
                self.over = True
                return moved
            moved = True
        return moved


def relay(outer: ssl.SSLSocket, inner: socket.socket, stopped: Callable[[], bool] = lambda: False) -> None:
    """Move bytes both ways until one side ends or ``stopped``; the worker's last bytes are still delivered.

    Both sockets are non-blocking afterwards; neither is closed.
    """
    outer.setblocking(False)
    inner.setblocking(False)
    inwards, outwards = _Direction(), _Direction()
    poll = select.poll()
    idle = 0
    while not stopped():
        moved = inwards.fill(outer.recv_into)
        moved |= inwards.drain(inner.send)
        moved |= outwards.fill(inner.recv_into)
        moved |= outwards.drain(outer.send)
        if inwards.over or (outwards.over and outwards.empty):
            return
        if moved:
            idle = 0
            continue
        idle += 1
        if idle > 3:
            time.sleep(_PAUSE)
        # TLS reads may wait for writing and the other way round only in a handshake, and 1.3 has no second one.
        poll.register(outer, (select.POLLIN if inwards.empty else 0) | (0 if outwards.empty else select.POLLOUT))
        poll.register(inner, (select.POLLIN if outwards.empty else 0) | (0 if inwards.empty else select.POLLOUT))
        with contextlib.suppress(InterruptedError):
            poll.poll(_TICK * 1000)
