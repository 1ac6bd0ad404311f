"""A simulated serial line: a pseudo-terminal at each end, and a thread between them that corrupts bytes.

::

    with Line(flip=1e-4, drop=1e-4, seed=1) as line:
        target_for(f"serial://{line.host}")     # and a device at line.device
    assert line.tried > 100
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

_CHUNK = 4096


class Line:
    """Two pseudo-terminals, and a thread that relays bytes between them.

    Args:
        to: The path of an existing terminal to use as the device's end.
        flip, drop, insert, double: Probabilities that a byte has one bit flipped, is lost, is followed by a random
            byte, is repeated.
        seed: Of the faults.

    Attributes:
        host, device: The paths of the two ends.
        counts: Faults so far, by name.
    """

    NAMES: ClassVar[tuple[str, ...]] = ("flip", "drop", "insert", "double")

    def __init__(self, to: str | None = None, *, seed: int = 0, **rates: float) -> None:
        unknown = set(rates) - set(self.NAMES)
        if unknown:
            raise TypeError(f"no such fault: {unknown}")
        self.rates = {name: rates.get(name, 0.0) for name in self.NAMES}
        self.counts = dict.fromkeys(self.NAMES, 0)
        self.muted = False
        self._rng = np.random.default_rng(seed)
        self._kept: list[int] = []
        self._host, self.host = self._terminal()
        if to is None:
            self._device, self.device = self._terminal()
        else:
            self._device, self.device = os.open(to, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), to
            tty.setraw(self._device)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    @property
    def tried(self) -> int:
        """Number of faults so far."""
        return sum(self.counts.values())

    def unplug(self) -> None:
        """Simulate that the cable is pulled out of the host's port."""
        self.close()

    def inject(self, data: bytes) -> None:
        """Let the host receive bytes that the device did not send."""
        os.write(self._host, data)

    def close(self) -> None:
        """Stop, and close both ends."""
        self._stopping.set()
        self._thread.join(5)
        for fd in (self._host, self._device, *self._kept):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._kept.clear()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _terminal(self) -> tuple[int, str]:
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        # Kept open: reading from a terminal that no process has open fails.
        self._kept.append(theirs)
        return ours, os.ttyname(theirs)

    def _relay(self) -> None:
        waiting = {self._host: b"", self._device: b""}
        other = {self._host: self._device, self._device: self._host}
        poll = select.poll()
        while not self._stopping.is_set():
            for fd in other:
                # Nothing is read for an end that accepts nothing, so that flow control reaches the sender.
                poll.register(fd, (select.POLLOUT if waiting[fd] else 0) | (0 if waiting[other[fd]] else select.POLLIN))
            for fd, event in poll.poll(100):
                with contextlib.suppress(BlockingIOError):
                    if event & select.POLLOUT and waiting[fd]:
                        waiting[fd] = waiting[fd][os.write(fd, waiting[fd]) :]
                    if event & select.POLLIN and not waiting[other[fd]]:
                        waiting[other[fd]] = b"" if self.muted else self._spoil(os.read(fd, _CHUNK))

    def _spoil(self, data: bytes) -> bytes:
        if not any(self.rates.values()):
            return data
        parts: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
        flipped = self._hit("flip", len(parts))
        bits = np.left_shift(np.uint8(1), self._rng.integers(0, 8, len(parts), np.uint8))
        parts = np.where(flipped, parts ^ bits, parts)
        copies = 1 - self._hit("drop", len(parts)).astype(np.int64)
        copies += self._hit("double", len(parts)) & (copies > 0)
        parts = np.repeat(parts, copies)
        places = np.flatnonzero(self._hit("insert", len(parts)))
        return np.insert(parts, places, self._rng.integers(0, 256, len(places), np.uint8)).tobytes()

    def _hit(self, name: str, count: int) -> NDArray[np.bool_]:
        hit: NDArray[np.bool_] = self._rng.random(count) < self.rates[name]
        self.counts[name] += int(hit.sum())
        return hit
