"""Any instrument whose samples come as lines ``time,watts``: over a serial line, TCP, from a program or in a file."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from edgerig.errors import SpecError, StorageError, TargetError
from edgerig.plugins import Settings
from edgerig.power.base import PowerMonitor
from edgerig.power.lines import LineReader
from edgerig.power.recording import Recording
from edgerig.power.samples import SampleLines
from edgerig.text import one_line
from edgerig.wire.link import Buffers, Link, connect_tcp
from edgerig.wire.serial import open_serial, parse_serial

#: Seconds to reach a TCP server, and for the first sample to come.
_CONNECT_SECONDS, _FIRST_SECONDS = 5.0, 5.0


class StreamSettings(Settings, frozen=True, kw_only=True):
    """Settings of `Stream`: one of the sources."""

    port: Annotated[
        str | None,
        msgspec.Meta(description="where lines come from: serial:///dev/ttyUSB0?baud=115200, tcp://HOST:PORT"),
    ] = None
    command: Annotated[
        str | None, msgspec.Meta(description="a program that prints lines, with its arguments; runs while it is open")
    ] = None
    file: Annotated[str | None, msgspec.Meta(description="a CSV file that was recorded over the whole session")] = None
    averaged: Annotated[
        bool, msgspec.Meta(description="whether a sample is the mean power since the one before, not that of a moment")
    ] = False
    settle: Annotated[
        float, msgspec.Meta(description="seconds that a sample may come late: what a stop waits for", ge=0, le=60)
    ] = 0.2

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.port, self.command, self.file)) != 1:
            raise ValueError("one of 'port', 'command' and 'file' is needed, and no more")


class Stream(PowerMonitor):
    """Lines ``time,watts`` or ``time,watts,pin``, as `SampleLines` reads them."""

    name: ClassVar[str] = "stream"
    summary: ClassVar[str] = "lines 'time,watts[,pin]' over a serial line or TCP, from a program, or in a CSV file"
    Settings: ClassVar[type[Settings]] = StreamSettings

    def __init__(self, settings: StreamSettings | None = None) -> None:
        super().__init__(settings)
        self._samples = SampleLines("the stream of samples", averaged=self.settings.averaged)
        self._reader: LineReader | None = None

    @property
    def live(self) -> bool:
        return self.settings.file is None

    def _open(self) -> None:
        if self.settings.file is not None:
            return
        self._samples = SampleLines(self.settings.port or self.settings.command, averaged=self.settings.averaged)
        link = self._link()
        begun = isinstance(link, _CommandLink)
        self._reader = LineReader(link, self._samples.who, self._samples.take, begun=begun)
        if not self._reader.wait(lambda: len(self._samples) > 0, _FIRST_SECONDS):
            self._reader.check()
            raise TargetError(
                f"No sample came from {self._samples.who} in {_FIRST_SECONDS:g} s.", "Does the instrument send already?"
            )

    def _link(self) -> Link:
        if self.settings.command is not None:
            return _CommandLink(self.settings.command)
        scheme, _, rest = self.settings.port.partition("://")
        if scheme != "tcp":
            address = parse_serial(self.settings.port)
            return open_serial(address, address.line())
        host, _, port = rest.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise SpecError(f"{self.settings.port!r} does not say where to connect to.", "Write tcp://HOST:PORT.")
        try:
            return connect_tcp(host.strip("[]"), int(port), _CONNECT_SECONDS)
        except OSError as error:
            raise TargetError(
                f"Cannot connect to {self.settings.port}: {error.strerror or error}.",
                "Does the instrument's server run?",
            ) from error

    def _start(self) -> None:
        if self._reader is not None:
            self._reader.check()
            self._samples.clear()

    def _stop(self) -> Recording:
        if self._reader is None:
            return read_csv(Path(self.settings.file), averaged=self.settings.averaged)
        self._reader.wait(lambda: False, self.settings.settle)
        self._reader.check()
        return self._samples.recording()

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def read_csv(path: Path, *, averaged: bool = False) -> Recording:
    """The recording in a CSV file of `SampleLines`.

    Raises:
        StorageError: It cannot be read. AnswerError: A line is no sample.
    """
    lines = SampleLines(path.name, averaged=averaged)
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for line in file:
                lines.take(line.strip())
    except OSError as error:
        raise StorageError(f"Cannot read {path}: {error.strerror or error}.", "Is it the right path?") from error
    return lines.recording()


class _CommandLink(Link):
    """The standard output of a program."""

    def __init__(self, command: str) -> None:
        words = shlex.split(command)
        # A file, not a pipe: a program that says much about itself does not block.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the link
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True
            )
        except (OSError, IndexError) as error:
            self._errors.close()
            raise TargetError(f"Cannot start {command!r}: {error}.", "Is the program there, and on PATH?") from error
        self._command, self._seconds = command, 1.0

    def send(self, buffers: Buffers) -> None:
        raise ConnectionError(f"{self._command} takes no input")

    def recv_into(self, view: memoryview) -> int:
        output = self._process.stdout
        if output is None:
            raise ConnectionError("it has no output")
        if not select.select([output], [], [], self._seconds)[0]:
            raise TimeoutError("nothing came in time")
        count = os.readv(output.fileno(), [view])
        if not count:
            raise ConnectionResetError(self._why())
        return count

    def _why(self) -> str:
        try:
            code: int | str = self._process.wait(1)
        except subprocess.TimeoutExpired:
            code = "none yet"
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 400))
        words = one_line(self._errors.read().decode(errors="replace"))
        return f"the program's output ended, exit code {code}" + (f", {words}" if words else "")

    def set_timeout(self, seconds: float | None) -> None:
        self._seconds = seconds if seconds is not None else 1.0

    def close(self) -> None:
        deadline = time.monotonic() + 2
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
            try:
                self._process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()
