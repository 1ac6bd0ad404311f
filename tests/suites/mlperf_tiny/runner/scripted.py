"""A device on a pseudo-terminal that a test gives its words: correct ones, unless the test changes some."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence

from edgerig.suites.mlperf_tiny import grammar

#: What a device sends: bytes, or a time to wait before the next ones.
Piece = bytes | float
Results = Callable[[bytes], Sequence[float]]


class ScriptedDevice(threading.Thread):
    """Serves a pseudo-terminal until `close`.

    Args:
        benchmark: What it answers to ``profile``.
        results: The outputs for a sample.
        answers: For a command, what is sent instead of the usual answer; None for the usual one.
        boot: What it sends when it starts.
        us_per_inference: On its clock.
        real: Whether an inference takes that long on the host's clock, too.
        clock: Its first timestamp.
        bits: Of its clock.

    Attributes:
        path: Of the terminal. commands: All that it was sent.
    """

    def __init__(
        self,
        benchmark: str = "kws01",
        results: Results = lambda sample: [1.0] + [0.0] * 11,
        *,
        answers: Callable[[str], Sequence[Piece] | None] = lambda command: None,
        boot: bytes = b"",
        us_per_inference: int = 1000,
        real: bool = False,
        clock: int = 1_000_000,
        bits: int = 64,
    ) -> None:
        super().__init__(daemon=True)
        self.benchmark, self.results, self.answers, self.boot = benchmark, results, answers, boot
        self.us_per_inference, self.real, self.now, self.bits = us_per_inference, real, clock, bits
        self.commands: list[str] = []
        self.sample, self.expected = b"", 0
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path, self._slave = os.ttyname(slave), slave
        self._wake, self._waker = os.pipe()
        self._open = True

    def __enter__(self) -> ScriptedDevice:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        return f"serial://{self.path}"

    def close(self) -> None:
        """Both ends of the terminal go away, as when a cable is pulled."""
        os.write(self._waker, b"x")
        self.join(5)
        if self._open:
            self._open = False
            os.close(self._master)
            os.close(self._slave)

    def run(self) -> None:
        pending = b""
        self._send([self.boot])
        with contextlib.suppress(OSError):
            while self._open:
                ready, _, _ = select.select([self._master, self._wake], [], [])
                if self._wake in ready:
                    return
                *commands, pending = (pending + os.read(self._master, 65536)).split(b"%")
                for command in commands:
                    text = command.decode()
                    self.commands.append(text)
                    pieces = self.answers(text)
                    self._send(self.usual(text) if pieces is None else pieces)

    def _send(self, pieces: Sequence[Piece] | Iterator[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, float):
                time.sleep(piece)
                continue
            while piece:
                if select.select([self._wake], [self._master], [])[0]:
                    return
                piece = piece[os.write(self._master, piece[:512]) :]

    def usual(self, command: str) -> Iterator[Piece]:
        """The correct answer to ``command``."""
        for line in self._lines(command):
            yield line if isinstance(line, float) else line.encode() + grammar.NEWLINE
        yield b"m-ready\r\n"

    def _lines(self, command: str) -> Iterator[str | float]:
        match command.split():
            case ["name"]:
                yield "m-name-dut-[scripted]"
            case ["profile"]:
                yield from (f"m-profile-[{grammar.PROFILE}]", f"m-model-[{self.benchmark}]")
            case ["db", "load", count]:
                self.sample, self.expected = b"", int(count)
                yield f"m-[Expecting {count} bytes]"
            case ["db", digits]:
                self.sample += bytes.fromhex(digits)
                if len(self.sample) == self.expected:
                    yield "m-load-done"
            case ["infer", iterations, warm_up]:
                yield from (f"m-warmup-start-{warm_up}", "m-warmup-done", f"m-infer-start-{iterations}")
                yield f"m-lap-us-{self._timestamp()}"
                took = int(iterations) * self.us_per_inference
                if self.real:
                    yield took * 1e-6
                self.now += took
                yield f"m-lap-us-{self._timestamp()}"
                yield "m-infer-done"
                values = ",".join(f"{value:0.3f}" for value in self.results(self.sample))
                yield f"m-results-[{values}]"
            case _:
                yield f"e-[{grammar.unknown_command(command)}]"

    def _timestamp(self) -> int:
        return self.now % (1 << self.bits)
