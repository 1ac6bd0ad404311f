"""Two hosts on one machine with a network between them that delays and loses packets.

Each host is a network namespace whose only way out is a TUN device; both devices are held here, and packets between
them wait, or fall away. The kernel's own netem is not needed; root is.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from tests.needs import need

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
CLONE_NEWNET = 0x40000000
LARGEST_PACKET = 65535


class BadNetwork:
    """A network of two hosts, "near" (10.78.0.1) and "far" (10.78.0.2).

    Attributes:
        delay, jitter: Seconds that a packet takes, and how much that varies either way.
        loss: Share of packets that fall away.
        packets, lost: How many there were.
    """

    near, far = "10.78.0.1", "10.78.0.2"

    def __init__(self, seed: int = 0) -> None:
        self.delay = self.jitter = self.loss = 0.0
        self.packets = self.lost = 0
        self.names = (f"edgerig-n{os.getpid()}", f"edgerig-f{os.getpid()}")
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._ends = tuple(
            self._host(name, address) for name, address in zip(self.names, (self.near, self.far), strict=True)
        )
        self._thread = threading.Thread(target=self._pump)
        self._thread.start()

    def on(self, host: str, command: list[str]) -> list[str]:
        """``command`` as it is run on the host ``near`` or ``far``."""
        return ["ip", "netns", "exec", self.names[("near", "far").index(host)], *command]

    def close(self) -> None:
        """Take both hosts away."""
        self._over.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False)

    def _host(self, name: str, address: str) -> int:
        _run("ip", "netns", "add", name)
        found: list[int] = []

        def open_inside() -> None:
            # setns holds for this thread alone, which then ends.
            libc = ctypes.CDLL(None, use_errno=True)
            space = os.open(f"/run/netns/{name}", os.O_RDONLY)
            if libc.setns(space, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", b"wire0", IFF_TUN_NO_PI))
            os.close(space)
            found.append(end)

        opener = threading.Thread(target=open_inside)
        opener.start()
        opener.join()
        _run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "wire0")
        _run("ip", "-n", name, "link", "set", "wire0", "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")
        return found[0]

    def _pump(self) -> None:
        waiting: list[tuple[float, int, int, bytes]] = []
        number = itertools.count()
        while not self._over.is_set():
            patience = min(0.05, max(0.0, waiting[0][0] - time.monotonic())) if waiting else 0.05
            for end in select.select(self._ends, [], [], patience)[0]:
                for packet in _packets(end):
                    self.packets += 1
                    if self._random.random() < self.loss:
                        self.lost += 1
                        continue
                    due = time.monotonic() + self.delay + self._random.uniform(-1, 1) * self.jitter
                    heapq.heappush(waiting, (due, next(number), self._other(end), packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(waiting)
                # A full device drops packets, as a full router does.
                with contextlib.suppress(BlockingIOError):
                    os.write(end, packet)

    def _other(self, end: int) -> int:
        return self._ends[1] if end == self._ends[0] else self._ends[0]


def _packets(end: int) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield os.read(end, LARGEST_PACKET)


@functools.cache
def refusal() -> str | None:
    """Why this process may not make hosts, found out by making one; None if it may.

    Root in a container often may not, and no installation changes that.
    """
    need("ip")
    name = f"edgerig-t{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"this process may not make network namespaces: {made.stderr.strip()}"
    try:
        add = ["ip", "-n", name, "tuntap", "add", "dev", "wire0", "mode", "tun"]
        made = subprocess.run(add, capture_output=True, text=True, check=False)
        return None if made.returncode == 0 else f"this process may not make TUN devices: {made.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def need_hosts() -> None:
    """Skip the test where no hosts can be made, with the system's own reason."""
    reason = refusal()
    if reason is not None:
        pytest.skip(reason)


def _run(*words: str) -> None:
    subprocess.run(words, check=True)
