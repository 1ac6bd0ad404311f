"""A pseudo-terminal as the line: a host on this machine opens it by its name, as it would a serial port."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import termios
import time
import tty

from edgerig.suites.mlperf_tiny.device.line import LOOK_SECONDS, HostLine

_logger = logging.getLogger(__name__)
_READ = 64 * 1024
#: Seconds between two looks for a host: the system tells that there is none, but not when one comes.
ABSENT_SECONDS = 0.02
#: Seconds that a host which is there may take no bytes.
BLOCKED_SECONDS = 10.0


class PseudoTerminal(HostLine):
    """Our end of a pseudo-terminal.

    The other end is open in no process but the host's, so that the system tells when that has gone. What it had not
    read is thrown away then: the next host would take it for the answer to its own first command.
    """

    def __init__(self) -> None:
        self._fd, theirs = os.openpty()
        self.name = os.ttyname(theirs)
        # Without echo and line ends of its own; the terminal keeps this while our end is open.
        tty.setraw(theirs)
        os.close(theirs)
        os.set_blocking(self._fd, False)
        self._present = self._muted = False
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._fd, select.POLLIN)
        self._writable.register(self._fd, select.POLLOUT)

    def receive(self) -> bytes | None:
        while True:
            polled = self._readable.poll(LOOK_SECONDS * 1000)
            if not polled:
                continue
            events = polled[0][1]
            if events & select.POLLIN and (data := self._read()):
                self._present, self._muted = True, False
                return data
            if self._present:
                self._leave()
                return None
            time.sleep(ABSENT_SECONDS)

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._muted and not self.host_has_gone():
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                if not self._writable.poll(BLOCKED_SECONDS * 1000):
                    # The rest of the answers would each wait as long.
                    self._muted = True
                    _logger.warning("the host takes no more bytes: %d of them were dropped", len(rest))
            except OSError:
                return

    def host_has_gone(self) -> bool:
        events = self._writable.poll(0)
        return bool(events and events[0][1] & select.POLLHUP)

    def close(self) -> None:
        os.close(self._fd)

    def _read(self) -> bytes:
        """What has come; nothing if the host has gone."""
        try:
            return os.read(self._fd, _READ)
        except OSError:
            return b""

    def _leave(self) -> None:
        self._present = False
        with contextlib.suppress(OSError, termios.error):
            theirs = os.open(self.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                termios.tcflush(theirs, termios.TCIFLUSH)
                tty.setraw(theirs)
            finally:
                os.close(theirs)
        _logger.info("the host has closed %s", self.name)
