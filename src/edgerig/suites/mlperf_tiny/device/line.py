"""The line to the host as the device sees it: hosts come and go, and what is sent while none is there is lost."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from edgerig.errors import EdgerigError
from edgerig.wire.serial import Line as SerialSettings
from edgerig.wire.serial import SerialAddress, SerialLink, open_serial

_logger = logging.getLogger(__name__)
_READ = 64 * 1024
#: Seconds between two tries to open a port that has gone.
REOPEN_SECONDS = 0.5
#: Seconds that a wait for the host lasts at most, after which it begins anew: a signal that comes just before a wait
#: does not end it.
LOOK_SECONDS = 0.25


class HostLine(ABC):
    """Bytes from and to whichever host is there.

    Attributes:
        name: What a host opens or connects to.
    """

    name: str

    @abstractmethod
    def receive(self) -> bytes | None:
        """Wait for bytes of a host; None when a host has gone, so that what it had begun is void."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send to the host. What no host takes is lost, as on a wire."""

    def host_has_gone(self) -> bool:
        """Whether it is known that the host which was there has gone; a serial port does not tell."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Release the line."""

    def __enter__(self) -> HostLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SerialPort(HostLine):
    """A serial port of this machine, or of a port server; it is opened again after it was unplugged.

    Raises:
        TargetError: There is none of that name, or no permission, or another program has it.
        MissingExtraError: pyserial is not installed.
    """

    def __init__(self, address: SerialAddress, settings: SerialSettings) -> None:
        self._open: Callable[[], SerialLink] = lambda: open_serial(address, settings)
        self._link: SerialLink | None = self._open()
        self._buffer = memoryview(bytearray(_READ))
        self._muted = False
        self.name = address.url

    def receive(self) -> bytes | None:
        if self._link is None:
            self._link = self._reopened()
            return None
        self._muted = False
        try:
            count = self._link.recv_into(self._buffer)
        except OSError as error:
            self._lose(error)
            return None
        return bytes(self._buffer[:count])

    def send(self, data: bytes) -> None:
        if self._link is None or self._muted:
            return
        try:
            self._link.send([data])
        except TimeoutError:
            # The rest of the answers would each wait as long.
            self._muted = True
            _logger.warning("the host takes no more bytes: %d of them were dropped", len(data))
        except OSError as error:
            self._lose(error)

    def close(self) -> None:
        if self._link is not None:
            self._link.close()

    def _lose(self, error: OSError) -> None:
        _logger.warning("%s; waiting until it is there again", error)
        self.close()
        self._link = None

    def _reopened(self) -> SerialLink:
        reported = ""
        while True:
            try:
                link = self._open()
            except EdgerigError as error:
                if error.message != reported:
                    _logger.info("%s", error.message)
                    reported = error.message
                time.sleep(REOPEN_SECONDS)
                continue
            _logger.info("%s is there again", self.name)
            return link
