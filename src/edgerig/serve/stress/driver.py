"""Makes a load on an event loop: when which connection sends."""

from __future__ import annotations

import asyncio
import collections
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from edgerig.serve.stress.alarm import Alarm, now
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.record import Record
from edgerig.serve.stress.slot import REFUSED, Owner, Slot

#: Seconds between two looks for requests that take too long, at most.
LOOK_SECONDS = 0.5
#: Refused connections in a row, at least, after which a server is taken to be gone.
GONE = 100
#: Seconds between two looks at how late the event loop is, where no arrivals tell.
PROBE_SECONDS = 0.01


class Driver(ABC):
    """One process's part of a load.

    Args:
        load: The part. slot: makes a connection of it.

    Attributes:
        record: What was measured. handled: requests that are over, good or not. waited: those that were due while all
            connections were busy. gone: whether the load ended early, since the server refused all connections.
    """

    def __init__(self, load: Load, slot: Callable[[Owner], Slot]) -> None:
        self.load = load
        self.record = Record()
        self.handled = self.waited = self.refused = 0
        self.gone = False
        self.slots = [slot(self) for _ in range(load.connections)]
        self.finished = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def prepare(self) -> None:
        """Do what comes before the load."""
        return

    async def run(self, start: int) -> None:
        """Make the load from ``start`` on, in ns, until it is finished or `stop` is called."""
        await asyncio.sleep(max(0.0, (start - now()) / 1e9))
        self._begin(start)
        self._look()
        await self.finished.wait()
        for slot in self.slots:
            slot.hang_up()

    def stop(self) -> None:
        """End it; what is open is not counted."""
        self.finished.set()

    # ---- what slots tell

    def opened(self, slot: Slot, nanoseconds: int | None) -> None:
        """See `Owner`."""
        if nanoseconds is not None:
            self.record.connect.append(nanoseconds)

    def answered(self, slot: Slot, server_ns: int | None) -> None:
        """See `Owner`."""
        record = self.record
        record.done.append(now())
        record.due.append(slot.due)
        record.begun.append(slot.begun)
        record.server.append(-1 if server_ns is None else server_ns)
        self.refused = 0
        self._over(slot)

    def failed(self, slot: Slot, kind: str) -> None:
        """See `Owner`."""
        if self.gone:
            return
        self.record.failures[kind] += 1
        self.refused = self.refused + 1 if kind == REFUSED else 0
        if self.refused >= max(GONE, 2 * self.load.connections):
            self.gone = True
            self.handled += 1
            self.stop()
            return
        self._over(slot)

    def _over(self, slot: Slot) -> None:
        self.handled += 1
        if self.load.reconnect:
            slot.hang_up()
        if self.handled >= self.load.total:
            self.finished.set()
        elif not self.finished.is_set():
            self._free(slot)

    # ---- what differs

    @abstractmethod
    def _begin(self, start: int) -> None:
        """Begin."""

    @abstractmethod
    def _free(self, slot: Slot) -> None:
        """``slot`` has nothing to do."""

    def _look(self) -> None:
        """Give up requests that take too long."""
        if self.finished.is_set():
            return
        limit = self.load.timeout
        oldest = now() - round(limit * 1e9)
        for slot in self.slots:
            if slot.busy and slot.begun < oldest:
                slot.hang_up()
                slot.fail(f"no reply within {limit:g} s")
        self._loop.call_later(min(LOOK_SECONDS, limit / 4), self._look)


class ClosedLoop(Driver):
    """Each connection asks again as soon as it was answered. A request is due when it is begun."""

    def _begin(self, start: int) -> None:
        for slot in self.slots:
            slot.left = self.load.requests
        for slot in self.slots:
            self._free(slot)
        self._probe(now())

    def _free(self, slot: Slot) -> None:
        if slot.left:
            slot.left -= 1
            slot.begin(now())
        else:
            slot.hang_up()

    def _probe(self, due: int) -> None:
        """Note how late the event loop is."""
        self.record.late.append(max(0, now() - due))
        if not self.finished.is_set():
            following = now() + round(PROBE_SECONDS * 1e9)
            self._loop.call_later(PROBE_SECONDS, self._probe, following)


class OpenLoop(Driver):
    """Requests are due by a Poisson process, whatever the server does; each counts from when it was due.

    A server that stalls does not thereby get fewer requests: those that were due in the meantime wait for a connection,
    and their wait is part of their latency (G. Tene, "How NOT to Measure Latency": coordinated omission).
    """

    def __init__(self, load: Load, slot: Callable[[Owner], Slot]) -> None:
        super().__init__(load, slot)
        assert load.rate is not None
        gaps = np.random.default_rng(load.seed).exponential(1e9 / load.rate, load.total)
        self._due = np.cumsum(gaps).astype(np.int64)
        self._next = 0
        self._free_slots = collections.deque(self.slots)
        self._waiting: collections.deque[int] = collections.deque()
        self._alarm = Alarm(self._arrive)
        self._unopened = 0
        self._all_open = asyncio.Event()

    async def prepare(self) -> None:
        """Open the connections: a server that is asked at a rate has its clients already."""
        if self.load.reconnect:
            return
        self._unopened = len(self.slots)
        for slot in self.slots:
            slot.open()
        try:
            await asyncio.wait_for(self._all_open.wait(), self.load.timeout)
        except TimeoutError:
            return

    def opened(self, slot: Slot, nanoseconds: int | None) -> None:
        super().opened(slot, nanoseconds)
        self._unopened -= 1
        if self._unopened == 0:
            self._all_open.set()

    async def run(self, start: int) -> None:
        try:
            await super().run(start)
        finally:
            self._alarm.close()

    def _begin(self, start: int) -> None:
        self._due += start
        self._arrive()

    def _arrive(self) -> None:
        """Begin what is due, and set the alarm to what is due next."""
        due, time = self._due, now()
        while self._next < len(due) and due[self._next] <= time:
            self._take(int(due[self._next]))
            self._next += 1
            time = now()
        if self._next < len(due) and not self.finished.is_set():
            self._alarm.set(int(due[self._next]))

    def _take(self, due: int) -> None:
        if self._free_slots:
            slot = self._free_slots.popleft()
            slot.begin(due)
            self.record.late.append(slot.begun - due)
        else:
            self.waited += 1
            self._waiting.append(due)

    def _free(self, slot: Slot) -> None:
        if self._waiting:
            slot.begin(self._waiting.popleft())
        else:
            self._free_slots.append(slot)
