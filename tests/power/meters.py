"""Simulated instruments that draw known energies."""

from __future__ import annotations

import math
import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

#: Samples a second of the simulated instruments, on a clock of their own.
RATE = 1000.0
Power = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def power(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Watts at ``times``: idle, and bursts of two heights."""
    return 0.010 + 0.030 * (times % 0.2 < 0.1) + 0.020 * (times % 0.06 < 0.02)


def joules_between(start: float, end: float, power: Power = power, points: int = 1_000_001) -> float:
    """The integral of ``power`` over so many points: by default a grid a thousand times finer than the samples."""
    edges = np.linspace(start, end, points)
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


class SimulatedLpm01a:
    """An LPM01A behind a pseudo-terminal: its commands, its answers, and samples of `power` on a clock of its own.

    Args:
        power: Watts at seconds of its clock.
        real_time: Whether its clock is the real one, and it samples by itself; else it does when `work` is called.
        faults: What goes wrong: ``refuse`` the command of that name; ``silent`` to it; ``lose`` every n-th byte of
            samples; ``skip`` n samples at once; ``overrun``, its buffer fills; ``error``, it says so.
    """

    def __init__(
        self, power: Power = power, *, real_time: bool = False, prompt: str = "PowerShield > ", **faults: str | int
    ) -> None:
        self.power, self.real_time, self.prompt, self.faults = power, real_time, prompt, faults
        self.terminal = Terminal()
        self.commands: list[str] = []
        self.acquiring = self.controlled = self.powered = False
        self.rate, self.samples, self._sent = RATE, 0, 0
        self._falls: list[float] = []
        self._began = 0.0
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> SimulatedLpm01a:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self.terminal.close()

    @property
    def clock(self) -> float:
        """Seconds since the acquisition began."""
        return time.monotonic() - self._began if self.real_time else self.samples / self.rate

    def fall(self) -> float:
        """The pin falls now; when that is."""
        with self._lock:
            now = self.clock
            self._falls.append(now)
            return now

    def see(self) -> None:
        """Look whether the pin fell meanwhile; for those who watch a real one."""

    def work(self) -> float:
        """Half a second at once, with two falls of the pin; joules between the two."""
        with self._lock:
            start, end = self.clock + 0.1003, self.clock + 0.4007
            self._falls += [start, end]
            self._sample(self.samples + round(0.5 * self.rate))
            return joules_between(start, end, self.power)

    def _serve(self) -> None:
        rest = b""
        while not self._stopping.is_set():
            if select.select([self.terminal.ours], [], [], 0.01)[0]:
                *lines, rest = (rest + os.read(self.terminal.ours, 4096)).split(b"\r\n")
                for line in lines:
                    self.obey(line.decode())
            with self._lock:
                if self.acquiring and self.real_time:
                    self._sample(int(self.clock * self.rate))

    def obey(self, command: str) -> None:
        """Do what a command says, and answer."""
        self.commands.append(command)
        if self.faults.get("silent") == command:
            return
        if self.faults.get("refuse") == command:
            self._say(f"\r\n{self.prompt}error {command}\r\nError detail: out of order\r\n\r\n")
            return
        with self._lock:
            if command == "stop" and self.acquiring and self.real_time:
                self.see()
                self._sample(int(self.clock * self.rate) + 1)
            self._apply(command)
            self._say(f"\r\n{self.prompt}ack {command}\r\n\r\n")
            if command == "start":
                self._say("TimeStamp: 000s 000ms, buff 00%\r\n")
                self._sample(0 if self.real_time else 20)
            if command == "stop":
                self._say("summary beg\r\nSampling time: 1.0s\r\nsummary end\r\nend\r\n")

    def _apply(self, command: str) -> None:
        word, _, value = command.partition(" ")
        if word in ("htc", "hrc"):
            self.controlled = word == "htc"
        elif word == "pwr":
            self.powered = value.startswith("on")
        elif word == "freq":
            self.rate = float(value.replace("k", "000"))
        elif word in ("start", "stop"):
            self.acquiring = word == "start"
            self.samples, self._falls, self._began = 0, [], time.monotonic()

    def _sample(self, count: int) -> None:
        """Send samples up to the ``count``-th."""
        lines = []
        for index in range(self.samples, count):
            start, end = index / self.rate, (index + 1) / self.rate
            lines += [f"event {number} ris\r\n" for number, fall in enumerate(self._falls) if start <= fall < end]
            if index % 100 == 0 and index:
                fill = 100 if self.faults.get("overrun") and index >= 300 else 1
                lines.append(f"TimeStamp: {int(start):03d}s {round(start % 1 * 1000):03d}ms, buff {fill:02d}%\r\n")
            if self.faults.get("error") and index == 300:
                lines.append("error: sampling buffer overflow\r\n")
            if not 300 <= index < 300 + int(self.faults.get("skip", 0)):
                lines.append(_decimal(joules_between(start, end, self.power, 101)))
        self.samples = max(count, self.samples)
        self._falls = [fall for fall in self._falls if fall >= self.samples / self.rate]
        data, lose = "".join(lines).encode(), int(self.faults.get("lose", 0))
        self._send(bytes(byte for index, byte in enumerate(data, 1) if not lose or index % lose))

    def _say(self, text: str) -> None:
        self._send(text.encode())

    def _send(self, data: bytes) -> None:
        self.terminal.write(data)


def _decimal(joules: float) -> str:
    """Four digits and an exponent of ten."""
    exponent = math.floor(math.log10(joules)) - 3
    return f"{min(9999, round(joules / 10**exponent)):04d}{exponent:+03d}\r\n"
