"""Makes a load with one or several processes, and sums up what they measured."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

import msgspec
import psutil

from edgerig.errors import Interrupted, TargetError, UsageError
from edgerig.progress import Progress
from edgerig.progress import Task as Shown
from edgerig.serve.stress.alarm import now
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.process import OTHER_FILES, Task
from edgerig.serve.stress.protocols import protocol_of
from edgerig.serve.stress.record import Part
from edgerig.serve.stress.result import StressResult
from edgerig.serve.stress.summary import summarize

#: From when all processes are ready to when they start together, in ns.
HEAD_START = 30_000_000
#: Seconds that processes get to hand over what they have once they are stopped.
END_SECONDS = 20.0


class _Process:
    """One process of the load. Standard error goes into a file, for when it dies."""

    def __init__(self, load: Load, state: object) -> None:
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgerig.serve.stress.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            # Ctrl-C is for the parent, which asks for what was measured so far.
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self.part: Part | None = None
        self.handled = 0
        self.ready, self.ended = threading.Event(), threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.tell(msgspec.msgpack.encode(Task(load, state)).hex().encode())
        self._reader.start()

    def tell(self, line: bytes) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(line + b"\n")
            self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, b""):
            word = line.strip()
            if word == b"ready":
                self.ready.set()
            elif word == b"end":
                self.part = msgspec.msgpack.decode(self.process.stdout.read(), type=Part)
            else:
                self.handled = int(word)
        self.ended.set()
        self.ready.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, and its part is here, after at most so many seconds."""
        # Not `Thread.join`: where Ctrl-C interrupts that, CPython 3.11 takes the thread for ended.
        return self.ended.wait(seconds)

    def stop(self) -> None:
        """Ask for what there is."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def check(self) -> Part:
        """Its part of the figures.

        Raises:
            TargetError: It died.
        """
        if self.part is None:
            self.errors.seek(0)
            last = self.errors.read()[-2000:].decode(errors="replace").strip().rpartition("\n")[2]
            raise TargetError(f"A process of the load ended by itself: {last or self.process.poll()}.")
        return self.part

    def close(self) -> None:
        """End it."""
        self.stop()
        if not self.wait(0):
            self.process.kill()
        self.ended.wait()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()


def stress(load: Load, progress: Progress | None = None) -> StressResult:
    """Make ``load``, and say what it showed.

    A request is made before, outside of all times: so a server that is not there is told as that.

    Raises:
        UsageError: The load cannot be made: a number out of its range, too few open files allowed.
        TargetError: The server is not there. WireError: It speaks another protocol.
        Interrupted: Ctrl-C; ``result`` of the error is what there is until then, None if that is nothing.
    """
    load.check()
    check_files(load)
    protocol = protocol_of(load)
    protocol.prepare()
    with contextlib.ExitStack() as stack:
        processes = []
        for share in load.shares():
            process = _Process(share, protocol.state())
            stack.callback(process.close)
            processes.append(process)
        stopped = False
        try:
            _make(load, processes, progress or Progress())
        except KeyboardInterrupt:
            stopped = True
            for process in processes:
                process.stop()
            for process in processes:
                process.wait(END_SECONDS)
        machine = psutil.cpu_percent() / 100
        parts = [process.check() for process in processes if not stopped or process.part is not None]
    if stopped and not parts:
        raise StoppedLoad(None)
    result = summarize(load, protocol, parts, machine, loopback=is_loopback(load.host))
    if stopped:
        raise StoppedLoad(result)
    return result


class StoppedLoad(Interrupted):
    """A load was stopped by the user. ``result`` is what there was until then."""

    def __init__(self, result: StressResult | None) -> None:
        super().__init__("Stopped; the figures are those of what was done until then.")
        self.result = result


def _make(load: Load, processes: list[_Process], progress: Progress) -> None:
    for process in processes:
        process.ready.wait(load.timeout + END_SECONDS)
    # From here on the CPUs' load is counted.
    psutil.cpu_percent()
    start = str(now() + HEAD_START).encode()
    for process in processes:
        process.tell(start)
    with progress.task("requests", total=load.total) as task:
        for process in _rest(processes):
            process.wait(0.1)
            _show(task, sum(each.handled for each in processes))


def _rest(processes: list[_Process]) -> Iterator[_Process]:
    """A process that still runs, again and again until none does."""
    for process in processes:
        while not process.wait(0):
            yield process


def _show(task: Shown, handled: int) -> None:
    if handled > task.done:
        task.advance(handled - task.done)


def check_files(load: Load) -> None:
    """Check that a process may open as many connections as are its part.

    Raises:
        UsageError: It may not.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    largest = max(share.connections for share in load.shares())
    if hard != resource.RLIM_INFINITY and largest + OTHER_FILES > hard:
        raise UsageError(
            f"{largest:,} connections of one process are more than the {hard:,} files that this system lets it open.",
            f"Give more --processes, fewer --connections, or raise the limit: `ulimit -Hn {largest + OTHER_FILES}`.",
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
