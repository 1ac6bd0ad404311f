"""One attempt of a step: edgerig's command in a process group of its own, until it ends or is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from edgerig.text import one_line

#: Seconds between two looks at a process that runs.
LOOK = 0.05
#: Seconds that a process has for stopping by itself, before it is killed.
GRACE = 15.0
#: Bytes of a log's end that are read for its last lines.
LOG_END = 16_384

Why = Literal["ended", "timeout", "stopped", "interrupted"]


class Ended(msgspec.Struct, frozen=True):
    """How an attempt ended.

    Attributes:
        code: The exit code; below 0 the number of the signal that killed it.
        why: ``ended`` by itself; stopped for its ``timeout``, its time to be ``stopped`` after, or ``interrupted``.
        seconds: Wall time.
    """

    code: int
    why: Why
    seconds: float


class Attempt:
    """The settings of one attempt.

    Args:
        words: The command's words, all filled in.
        folder: Where it runs.
        log: The file to whose end its output goes.
        variables: Added to the environment.
        timeout: Seconds after which it is stopped, and has failed.
        stop_after: Seconds after which it is stopped, and has succeeded.
        hold: Descriptors that stay open as long as the process runs: locks.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        log: Path,
        *,
        variables: Mapping[str, str],
        timeout: float | None = None,
        stop_after: float | None = None,
        hold: Sequence[int] = (),
    ) -> None:
        self.words, self.folder, self.log, self.variables = words, folder, log, variables
        self.timeout, self.stop_after, self.hold = timeout, stop_after, hold

    def run(self, stopping: threading.Event, said: Callable[[str], None]) -> Ended:
        """Run the command until it ends, its time is over, or ``stopping`` is set.

        Args:
            said: Called with each line that the command prints.
        """
        begun = time.monotonic()
        program = [sys.executable, "-m", "edgerig.suites.workflow.child", str(os.getpid())]
        with self.log.open("ab") as output, self.log.open("rb") as reading:
            reading.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [*program, *self.words],
                cwd=self.folder,
                env={**os.environ, **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(self.hold),
            )
            lines = _Lines(reading, said)
            try:
                why = self._wait(process, begun, stopping, lines)
            except BaseException:
                _stop(process, GRACE)
                raise
            if why != "ended":
                _stop(process, GRACE)
            _end_group(process)
            lines.read()
        return Ended(process.returncode, why, time.monotonic() - begun)

    def _wait(self, process: subprocess.Popen[bytes], begun: float, stopping: threading.Event, lines: _Lines) -> Why:
        while True:
            if _has_ended(process):
                return "ended"
            time.sleep(LOOK)
            lines.read()
            seconds = time.monotonic() - begun
            if stopping.is_set():
                return "interrupted"
            if self.timeout is not None and seconds > self.timeout:
                return "timeout"
            if self.stop_after is not None and seconds > self.stop_after:
                return "stopped"


class _Lines:
    """Lines that are added to a file, as they come."""

    def __init__(self, file: BinaryIO, said: Callable[[str], None]) -> None:
        self._file, self._said, self._rest = file, said, b""

    def read(self) -> None:
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            text = one_line(line.decode("utf-8", "replace")).strip()
            if text:
                self._said(text)


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log that say something; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_END))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [one_line(line) for line in text.splitlines() if line.strip()][-count:]


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has ended; it stays a zombie, so that no other process takes its number."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _stop(process: subprocess.Popen[bytes], grace: float) -> None:
    """End a process as Ctrl-C does, and its group by force if that takes longer than ``grace`` seconds."""
    os.kill(process.pid, signal.SIGINT)
    deadline = time.monotonic() + grace
    while not _has_ended(process) and time.monotonic() < deadline:
        time.sleep(LOOK)
    _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process's group, which it may have ended without, and take its exit code."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
