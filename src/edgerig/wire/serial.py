"""Links over serial ports and whatever else pyserial opens."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec

from edgerig.errors import MissingExtraError, SpecError, TargetError, UnknownNameError
from edgerig.wire.link import Link

SCHEME = "serial://"
#: Schemes of pyserial that may also be named directly.
DIRECT = ("rfc2217", "socket")
#: Smaller messages are sent with one system call.
_SMALL = 4096
_WRITE_SECONDS = 10.0
#: Seconds that one read of a port waits that pyserial reads for us.
_TICK_SECONDS = 0.02


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How a serial line is set up; frames are bytes of 8 bits."""

    baud: Annotated[int, msgspec.Meta(description="bits a second", ge=50)] = 115200
    rtscts: Annotated[bool, msgspec.Meta(description="flow control by RTS and CTS")] = False
    dsrdtr: Annotated[bool, msgspec.Meta(description="flow control by DSR and DTR")] = False
    parity: Annotated[Literal["N", "E", "O"], msgspec.Meta(description="none, even, odd")] = "N"
    stopbits: Annotated[Literal[1, 2], msgspec.Meta(description="stop bits")] = 1
    dtr: Annotated[
        bool | None, msgspec.Meta(description="level of DTR; some boards reset when it changes. Default: as pyserial")
    ] = None
    rts: Annotated[bool | None, msgspec.Meta(description="level of RTS. Default: as pyserial")] = None

    @property
    def byte_seconds(self) -> float:
        """How long one byte takes on the line."""
        return (1 + 8 + (self.parity != "N") + self.stopbits) / self.baud


class SerialAddress(msgspec.Struct, frozen=True):
    """What pyserial is to open, and how."""

    url: str
    options: dict[str, str]

    def line(self, defaults: dict[str, Any] | None = None) -> Line:
        """The line's settings: those of the address before ``defaults``.

        Raises:
            SpecError: One has a wrong value.
        """
        values = (defaults or {}) | self.options
        if isinstance(values.get("stopbits"), str) and values["stopbits"].isdecimal():
            values["stopbits"] = int(values["stopbits"])
        try:
            return msgspec.convert(values, Line, strict=False)
        except msgspec.ValidationError as error:
            raise SpecError(f"The settings of {self.url} are wrong: {error}.") from error


def parse_serial(text: str) -> SerialAddress:
    """What to open out of ``serial:///dev/ttyACM0?baud=115200``, ``serial://COM3``, ``serial://?url=...`` or a URL of
    pyserial's own.

    Raises:
        SpecError: It is none of these. UnknownNameError: it has a setting that there is not.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("serial", *DIRECT):
        raise SpecError(f"{text!r} is not the address of a serial port.", "Write serial:///dev/ttyACM0?baud=115200.")
    path, _, query = rest.partition("?")
    known = [field.name for field in msgspec.structs.fields(Line)]
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if scheme != "serial":
        _check_place(text, scheme, path)
        # The others are pyserial's own settings of such a URL.
        foreign = urlencode({key: value for key, value in parameters.items() if key not in known})
        options = {key: value for key, value in parameters.items() if key in known}
        return SerialAddress(f"{scheme}://{path}" + (f"?{foreign}" if foreign else ""), options)
    url = parameters.pop("url", "")
    if "xonxoff" in parameters:
        raise SpecError(
            f"{text!r}: software flow control would take bytes out of the messages.", "Use rtscts=1, or none."
        )
    for key in parameters:
        if key not in known:
            raise UnknownNameError(f"setting of {text!r}", key, [*known, "url"])
    if bool(url) == bool(path):
        raise SpecError(
            f"{text!r} does not name one port.", "Write serial:///dev/ttyACM0?baud=115200 or serial://?url=rfc2217://.."
        )
    return SerialAddress(url or path, parameters)


def _check_place(text: str, scheme: str, path: str) -> None:
    host, colon, port = path.rstrip("/").rpartition(":")
    if not (host and colon and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise SpecError(f"{text!r} does not say where to connect to.", f"Write {scheme}://HOST:PORT.")


class SerialLink(Link):
    """A link over an open port of pyserial's. Bytes may get lost or damaged on it."""

    def __init__(self, port: Any, name: str) -> None:
        self.port, self.name = port, name
        self._seconds: float | None = None
        # A port of the system's own is read and written directly: pyserial makes two calls of each.
        self._fd: int = port.fileno() if type(port).__module__ == "serial.serialposix" else -1
        self._poll: select.poll | None = None
        if self._fd >= 0:
            self._poll = select.poll()
            self._poll.register(self._fd, select.POLLIN)
        else:
            # Set once: a port server is asked to set up its port anew whenever it changes.
            port.timeout = _TICK_SECONDS
            with contextlib.suppress(NotImplementedError):
                port.write_timeout = _WRITE_SECONDS

    @property
    def least_rate(self) -> float:
        """Bytes a second that come at least while a message does: a quarter of what the line carries."""
        return float(self.port.baudrate) / 10 / 4

    def fileno(self) -> int:
        """The descriptor that becomes readable when bytes come; -1 if there is none."""
        return self._fd

    def send(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        self.send_reading(buffers, None)

    def send_reading(
        self, buffers: Sequence[bytes | bytearray | memoryview], readable: Callable[[], None] | None
    ) -> None:
        """Send all buffers; meanwhile call ``readable`` when bytes come, lest both sides wait for each other.

        Raises:
            TimeoutError: The peer takes nothing any more. ConnectionError: it is gone.
        """
        if sum(len(part) for part in buffers) <= _SMALL:
            buffers = [b"".join(buffers)]
        with self._errors():
            for part in buffers:
                if self._fd < 0:
                    self.port.write(bytes(part))
                else:
                    self._write(memoryview(part), readable)

    def _write(self, rest: memoryview, readable: Callable[[], None] | None) -> None:
        # Most messages go out at once: what waiting takes is made only where there is something to wait for.
        poll: select.poll | None = None
        seconds = self._seconds if self._seconds is not None else _WRITE_SECONDS
        deadline = time.monotonic() + max(seconds, 1.0)
        while rest:
            try:
                sent = os.write(self._fd, rest)
            except BlockingIOError:
                sent = 0
            if sent:
                rest = rest[sent:]
                deadline = time.monotonic() + max(seconds, 1.0)
                continue
            if poll is None:
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT | (select.POLLIN if readable else 0))
            events = poll.poll(max(0, deadline - time.monotonic()) * 1000)
            if not events:
                raise TimeoutError("the device takes no more bytes; is the flow control right?")
            if readable is not None and events[0][1] & select.POLLIN:
                readable()

    def recv_into(self, view: memoryview) -> int:
        if self._poll is not None:
            return self._read(view, self._poll)
        deadline = None if self._seconds is None else time.monotonic() + self._seconds
        while True:
            with self._errors():
                data = self.port.read(max(1, min(self.port.in_waiting, len(view))))
            if data:
                view[: len(data)] = data
                return len(data)
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError("nothing came in time")

    def _read(self, view: memoryview, poll: select.poll) -> int:
        while True:
            if not poll.poll(None if self._seconds is None else self._seconds * 1000):
                raise TimeoutError("nothing came in time")
            try:
                got = os.readv(self._fd, [view])
            except BlockingIOError:
                continue
            except OSError as error:
                with self._errors():
                    raise error
            if not got:
                raise ConnectionResetError(f"{self.name} was unplugged")
            return got

    def unsent(self) -> int:
        """Bytes that were handed to the system and are not yet on the line, as far as it tells."""
        with contextlib.suppress(Exception):
            return int(self.port.out_waiting)
        return 0

    def discard(self) -> None:
        """Throw away what has come and was not read."""
        with contextlib.suppress(Exception):
            self.port.reset_input_buffer()

    def set_timeout(self, seconds: float | None) -> None:
        self._seconds = seconds

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.port.close()

    @contextlib.contextmanager
    def _errors(self) -> Any:
        """What pyserial and the system raise, as what a link raises."""
        try:
            yield
        except (TimeoutError, ConnectionError):
            raise
        except OSError as error:
            if type(error).__name__ == "SerialTimeoutException":
                raise TimeoutError("the device takes no more bytes; is the flow control right?") from error
            gone = error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF)
            words = f"{self.name} was unplugged" if gone else error.strerror or str(error)
            raise ConnectionResetError(words) from error
        except (TypeError, AttributeError) as error:
            # pyserial's way to say that another thread closed the port.
            raise ConnectionResetError(f"{self.name} was closed") from error


def open_serial(address: SerialAddress, line: Line) -> SerialLink:
    """An open port.

    Raises:
        TargetError: There is none of that name, or no permission, or another program has it.
        MissingExtraError: pyserial is not installed.
    """
    try:
        import serial
    except ImportError as error:
        raise MissingExtraError("A serial port", "serial", "pyserial") from error
    try:
        port = serial.serial_for_url(
            address.url,
            do_not_open=True,
            baudrate=line.baud,
            rtscts=line.rtscts,
            dsrdtr=line.dsrdtr,
            parity=line.parity,
            stopbits=line.stopbits,
            timeout=0,
        )
        if type(port).__module__ == "serial.serialposix":
            port.exclusive = True
        if line.dtr is not None:
            port.dtr = line.dtr
        if line.rts is not None:
            port.rts = line.rts
        with _quiet_threads():
            port.open()
    except (OSError, ValueError, TypeError) as error:
        raise _why_not(address.url, error) from error
    return SerialLink(port, address.url)


@contextlib.contextmanager
def _quiet_threads() -> Iterator[None]:
    """A thread of pyserial's that dies of what a server sends must not print a traceback; the caller is told anyway."""
    usual = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        if failure.thread is None or not failure.thread.name.startswith("pySerial"):
            usual(failure)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = usual


def _why_not(url: str, error: Exception) -> TargetError:
    """The reason why a port could not be opened, and a hint."""
    number = getattr(error, "errno", None)
    path = Path(url)
    if "://" not in url and not path.exists():
        return TargetError(f"There is no serial port {url}.", _ports())
    if number in (errno.EACCES, errno.EPERM):
        return TargetError(f"You may not use {url}.", f"It belongs to the group {_group(path)!r}. {_join(path)}")
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return TargetError(
            f"Another program uses {url}.", "Close it: a terminal, a serial monitor, ModemManager, or another edgerig."
        )
    words = getattr(error, "strerror", None) or str(error)
    if "://" in url:
        return TargetError(f"Cannot open {url}: {words}.", "Is the address right, and does a port server listen there?")
    if not stat.S_ISCHR(path.stat().st_mode):
        return TargetError(f"{url} is not a serial port.", _ports())
    return TargetError(f"Cannot open {url}: {words}.", "Is the address right, and does the device support that baud?")


def _ports() -> str:
    """The ports that there are, as a hint."""
    from serial.tools import list_ports

    ports = sorted(f"{port.device} ({port.description})" for port in list_ports.comports() if port.hwid != "n/a")
    return "There are: " + ", ".join(ports) + "." if ports else "There is none at all. Is the device plugged in?"


def _group(path: Path) -> str:
    try:
        return path.group()
    except (KeyError, OSError):
        return "root"


def _join(path: Path) -> str:
    return f"Join it: sudo usermod -aG {_group(path)} $USER, then log in again."
