"""Simulated instruments that draw known energies."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

#: Samples a second of the simulated instruments, on a clock of their own.
RATE = 1000.0


def power(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Watts at ``times``: idle, and bursts of two heights."""
    return 0.010 + 0.030 * (times % 0.2 < 0.1) + 0.020 * (times % 0.06 < 0.02)


def joules_between(start: float, end: float) -> float:
    """The integral of `power`, on a grid that is a thousand times finer than the samples."""
    edges = np.linspace(start, end, 1_000_001)
    return float(power((edges[1:] + edges[:-1]) / 2).mean() * (end - start))


class Terminal:
    """A pseudo-terminal: what an instrument writes at ``ours`` comes out of the port ``name``."""

    def __init__(self) -> None:
        self.ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.name = os.ttyname(self._theirs)

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.ours, data) :]

    def close(self) -> None:
        for descriptor in (self.ours, self._theirs):
            os.close(descriptor)


class StreamMeter:
    """Writes lines ``time,watts,pin`` to a terminal, whether somebody listens or not, on a clock of its own."""

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.clock = 100.0
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> StreamMeter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.terminal.close()

    def _send(self) -> None:
        while not self._stopping.wait(0.05):
            with self._writing:
                self.terminal.write("".join(self.lines(0.005)).encode())

    def say(self, line: bytes) -> None:
        """Send a line that is no sample."""
        with self._writing:
            self.terminal.write(line + b"\n")

    def work(self) -> float:
        """Half a second of the meter's clock, at once, with two falls of the pin; joules between the two."""
        with self._writing:
            start, end = self.clock + 0.1003, self.clock + 0.4007
            self.terminal.write("".join(self.lines(0.5, (start, end))).encode())
            return joules_between(start, end)

    def lines(self, seconds: float, falls: tuple[float, ...] = ()) -> Iterator[str]:
        """Lines of the next ``seconds``; the pin is low for 5 ms from each of ``falls`` on."""
        times = self.clock + np.arange(1, round(seconds * RATE) + 1) / RATE
        self.clock = float(times[-1])
        for now, watts in zip(times, power(times), strict=True):
            low = any(fall <= now < fall + 0.005 for fall in falls)
            yield f"{now:.6f},{watts:.6f},{0 if low else 1}\n"
