"""A host in plain Python for tests of devices, and the device's program as a process."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds within which anything must happen, on however busy a machine.
PATIENCE = 60.0


class Host:
    """The host's end of a line: ``ask`` a command, get the lines of the answer, ``m-ready`` included."""

    def __init__(self, name: str) -> None:
        self._socket: socket.socket | None = None
        if name.startswith("tcp://"):
            where, _, port = name.removeprefix("tcp://").rpartition(":")
            self._socket = socket.create_connection((where, int(port)))
            self.fd = self._socket.fileno()
        else:
            self.fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.fd)
        self._waiting = b""

    def send(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def ask(self, command: str) -> list[str]:
        self.send(command + "%")
        return self.answer()

    def answer(self) -> list[str]:
        """The next lines up to ``m-ready``."""
        lines: list[str] = []
        while not lines or lines[-1] != "m-ready":
            lines.append(self.line())
        return lines

    def line(self) -> str:
        """The next line."""
        until = time.monotonic() + PATIENCE
        while b"\r\n" not in self._waiting:
            if not select.select([self.fd], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError(f"no line came; what came is {self._waiting!r}")
            data = os.read(self.fd, 4096)
            if not data:
                raise ConnectionError("the device has closed the line")
            self._waiting += data
        line, _, self._waiting = self._waiting.partition(b"\r\n")
        return line.decode()

    def silent(self, seconds: float = 0.2) -> bool:
        """Whether nothing comes for a while."""
        return not self._waiting and not select.select([self.fd], [], [], seconds)[0]

    def load(self, sample: bytes, step: int = 31) -> list[str]:
        """Send a sample; the answer to its last part."""
        assert self.ask(f"db load {len(sample)}") == [f"m-[Expecting {len(sample)} bytes]", "m-ready"]
        parts = [sample[start : start + step] for start in range(0, len(sample), step)]
        return [self.ask(f"db {part.hex()}") for part in parts][-1]

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self.fd)

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Device(subprocess.Popen[str]):
    """``edgerig mlperf-tiny dut`` as a process; ``line`` is the name that it printed."""

    line: str = ""

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """End it by a signal; its exit code, and what it had said on standard error."""
        self.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait for its end."""
        _, errors = self.communicate(timeout=PATIENCE)
        return self.returncode, errors


@contextmanager
def device(*options: str | Path, line: str = "pty", serves: bool = True) -> Iterator[Device]:
    """The device's program while the block runs; it has printed its line if it ``serves``."""
    command = [sys.executable, "-m", "edgerig", "mlperf-tiny", "dut", "--line", line, *map(str, options)]
    process = Device(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if serves:
            assert process.stdout is not None
            process.line = process.stdout.readline().strip()
            assert process.line, process.ended()
        yield process
    finally:
        process.kill()
        process.communicate()
