"""Connections in the digits' protocol, looked after by code in C, which gives their samples to the pool's sessions."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
import time
from typing import Any

import numpy as np

from edgerig.errors import EdgerigError, Overloaded, TargetError, WireError
from edgerig.serve.conversions import dequantizer, one_scale_of_bytes
from edgerig.serve.pool import BATCH_SECONDS, QUEUE_BYTES, SMALL, Pool
from edgerig.serve.records import BUCKETS, Records, Times
from edgerig.serve.second_rings import SharedLane
from edgerig.serve.ways.digits_groups import NAME
from edgerig.serve.ways.digits_library import (
    ANSWERED,
    FAILED,
    LOST,
    NONSENSE,
    NOTHING,
    OVERLOADED,
    REFUSED,
    UNFINISHED,
    FrontCounts,
    FrontEvent,
    FrontRing,
    FrontSettings,
    input_of,
)
from edgerig.targets.remote.ring_runs import SharedRing, engine_failure, not_in_time
from edgerig.tensors import TensorSpec
from edgerig.wire.ring import HEAD_BYTES

_logger = logging.getLogger(__name__)
#: Seconds until it is tried again to let somebody in, or to give a session samples, where this process has no
#: descriptor or memory left for it; and longest time between two looks whether a session takes too long.
PAUSE, LOOK = 1.0, 1.0
#: Seconds of inferences that are worth a batch of their own: half of those of the pool, as a batch costs less in C.
#: With more, sessions wait for clients that wait for the replies of a batch.
WORTH_SECONDS = 0.0005
#: Results of requests without a reply, for the records.
_RESULTS = {
    REFUSED: WireError.__name__,
    UNFINISHED: WireError.__name__,
    OVERLOADED: Overloaded.__name__,
    LOST: TargetError.__name__,
}


def takes(pool: Pool, output: int) -> bool:
    """Whether the pool's sessions can be given samples so: each shares memory, and the network's numbers are floats or
    integers of a byte."""
    tensors = pool.tensors
    if tensors.batch != 1 or len(tensors.inputs) != 1 or tensors.row_bytes > SMALL or not pool.second_rings.complete:
        return False
    return all(
        spec.dtype == "float32" or one_scale_of_bytes(spec) for spec in (tensors.inputs[0], tensors.outputs[output])
    )


class Front:
    """Lets clients in, and answers them; used on the event loop that runs when it is made.

    Args:
        library: See `edgerig.serve.ways.digits_library`.
        listener: Listens, and does not block; the front's from now on.
        pool: Whose sessions run their digits, see `takes`. records: Hears of each request.
        stats: The reply to a request for statistics. output: Position of the output with the ten scores.
    """

    def __init__(
        self, library: ctypes.CDLL, listener: socket.socket, pool: Pool, records: Records, stats: bytes, output: int
    ) -> None:
        self.pool, self.records, self._listener, self._output = pool, records, listener, output
        self._library = library
        self._front = library.front_open(_settings(pool, listener, stats, output, logs=records.log is not None))
        if not self._front:
            raise MemoryError("no memory, or no descriptor, is left for connections")
        self._counts: FrontCounts = library.front_counted(self._front).contents
        self._event, self._look_now = FrontEvent(), library.front_look
        self._loop = asyncio.get_running_loop()
        #: Sessions by their numbers, and the other way round.
        self._lanes: dict[int, SharedLane] = {}
        self._numbers: dict[SharedLane, int] = {}
        #: Sessions that could not be given samples so far, and when that is tried again.
        self._left_out: dict[SharedLane, SharedRing] = {}
        self._attach_at: asyncio.TimerHandle | None = None
        self._before = FrontCounts()
        self._connections = 0
        self._resume: asyncio.TimerHandle | None = None
        self._look_at: asyncio.TimerHandle | None = None
        #: Why the last session was lost.
        self._loss: Exception = TargetError("No session is there.")
        records.sources.append(self.collect)
        pool.second_rings.use(self)
        self._loop.add_reader(library.front_descriptor(self._front), self._look)

    @property
    def connections(self) -> int:
        """How many there are."""
        return int(self._counts.connections) if self._front else 0

    @property
    def waiting(self) -> int:
        """Samples that wait for a session."""
        return int(self._counts.waiting) if self._front else 0

    def sweep(self, begun_seconds: float, taking_seconds: float, idle_seconds: float) -> None:
        """Hang up on clients that have begun a request and do not go on, take no replies, or say nothing at all."""
        self._library.front_sweep(self._front, *(int(s * 1e9) for s in (begun_seconds, taking_seconds, idle_seconds)))
        self._told()

    def finish(self) -> None:
        """Let nobody in any more, take no more requests, and hang up as soon as those that came are answered."""
        self._library.front_finish(self._front)
        self._listener.close()
        self._told()

    def end(self) -> None:
        """End all connections, at once."""
        self.pool.second_rings.use(None)
        for timer in (self._resume, self._look_at, self._attach_at):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._library.front_descriptor(self._front))
        self.collect()
        self.records.sources.remove(self.collect)
        self._library.front_close(self._front)
        self._front = None
        self.records.connected(NAME, -self._connections)

    # ---- sessions

    def attach(self, lane: SharedLane, ring: SharedRing) -> None:
        """Give samples to a session, too."""
        number = self._library.front_attach(self._front, _place(ring, self._output))
        if number < 0:
            if lane not in self._left_out:
                _logger.warning("a session gets no digits for now: no memory or descriptor is left")
            self._left_out[lane] = ring
            if self._attach_at is None:
                self._attach_at = self._loop.call_later(PAUSE, self._attach_left_out)
            return
        self._left_out.pop(lane, None)
        self._lanes[number], self._numbers[lane] = lane, number
        if self._look_at is None:
            self._watch()

    def _attach_left_out(self) -> None:
        self._attach_at = None
        for lane, ring in list(self._left_out.items()):
            self.attach(lane, ring)

    def detach(self, lane: SharedLane, error: Exception | None) -> None:
        """A session is gone; what it had is run by another one, but for what it failed of."""
        self._left_out.pop(lane, None)
        number = self._numbers.pop(lane, None)
        if number is None:
            return
        del self._lanes[number]
        self._loss = error or self._loss
        self._library.front_detach(self._front, number)
        self._told()

    def unreachable(self, error: Exception) -> None:
        """There are no sessions, and there will be none for now."""
        self._loss = error
        self._library.front_reachable(self._front, 0)
        self._told()

    def _watch(self) -> None:
        """Give up sessions that have not answered for too long."""
        now, patience = time.perf_counter_ns(), LOOK
        for number, lane in list(self._lanes.items()):
            since = self._library.front_since(self._front, number)
            patience = min(patience, lane.patience / 4)
            if since and now - since > lane.patience * 1e9:
                lane.lose(not_in_time(lane.patience))
        self._look_at = self._loop.call_later(patience, self._watch)

    # ---- what happens

    def _look(self) -> None:
        self._look_now(self._front)
        counts = self._counts
        if counts.events or counts.connections != self._connections or counts.exhausted:
            self._told()

    def _told(self) -> None:
        """Hear of all that has happened."""
        counts = self._counts
        if counts.connections != self._connections:
            change, self._connections = counts.connections - self._connections, counts.connections
            self.records.connected(NAME, change)
        if counts.exhausted and self._resume is None and self._listener.fileno() >= 0:
            _logger.warning("nobody is let in for a second: no descriptor or memory is left")
            self._resume = self._loop.call_later(PAUSE, self._let_in)
        lines, nonsense = list[Times](), list[int]()
        while counts.events:
            event = self._event
            self._library.front_take_event(self._front, event)
            times = Times(event.handler_ns, event.queue_ns, event.network_ns)
            if event.kind == ANSWERED:
                lines.append(times)
            elif event.kind == NONSENSE:
                nonsense.append(event.lane)
            elif event.kind != NOTHING:
                self._fell_short(event, times)
        self.records.write_lines(NAME, "ok", lines)
        for number in nonsense:
            lane = self._lanes.get(number)
            if lane is not None:
                lane.lose(lane.nonsense("samples that were not sent, or times that cannot be"))

    def _fell_short(self, event: FrontEvent, times: Times) -> None:
        result = _RESULTS.get(event.kind, "")
        if event.kind == FAILED:
            error = self._failure(event)
            result = type(error).__name__
            _logger.info("a digit stays without a reply: %s", error)
        elif event.kind == LOST:
            result = type(self._loss).__name__ if isinstance(self._loss, EdgerigError) else result
            _logger.info("a digit stays without a reply: %s", self._loss)
        self.records.note(NAME, result, times)

    def _failure(self, event: FrontEvent) -> Exception:
        assert event.failure is not None
        try:
            return engine_failure(ctypes.string_at(event.failure, event.length), "The local process")
        except EdgerigError as error:
            return error

    def _let_in(self) -> None:
        self._resume = None
        self._library.front_resume(self._front)

    def collect(self) -> None:
        """Add what was counted in C since the last time to the records."""
        now, before = FrontCounts.from_buffer_copy(self._counts), self._before
        self._before = now
        records, executions = self.records, self.pool.executions

        def more(name: str) -> int:
            return int(getattr(now, name) - getattr(before, name))

        count, executed = more("requests"), more("executions")
        for name in ("handler", "queue", "network"):
            counts = [
                int(after - first) for after, first in zip(getattr(now, name), getattr(before, name), strict=True)
            ]
            records.histograms[name].add_counts(counts, more(f"{name}_ns") * 1e-9)
        executions.add(executed, more("executed_ns"), more("input_ns"), more("output_ns"))
        if count:
            times = more("handler_ns"), more("queue_ns"), more("network_ns"), more("input_ns"), more("output_ns")
            last = time.time() - (time.perf_counter_ns() - now.last_ns) * 1e-9
            records.answered(NAME, count, times, last)


def _settings(pool: Pool, listener: socket.socket, stats: bytes, output: int, *, logs: bool) -> Any:
    tensors = pool.tensors
    bounds = (ctypes.c_uint64 * len(BUCKETS))(*[round(bound * 1e9) for bound in BUCKETS])
    return FrontSettings(
        input=input_of(tensors.inputs[0]),
        listener=listener.fileno(),
        table=_table(tensors.outputs[output]),
        stats=stats,
        queue=min(pool.queue, max(1, QUEUE_BYTES // tensors.row_bytes)),
        batch=pool.batch,
        batch_ns=int(BATCH_SECONDS * 1e9),
        worth_ns=int(WORTH_SECONDS * 1e9),
        logs=logs,
        bounds=bounds,
    )


def _table(spec: TensorSpec) -> Any:
    """The real number of each byte of an output, by `edgerig.datasets.preprocess.dequantize`."""
    if spec.dtype == "float32":
        return None
    real = dequantizer(spec)(np.arange(256, dtype=np.uint8).view(spec.dtype))
    return (ctypes.c_float * 256)(*real.tolist())


def _place(shared: SharedRing, output: int) -> FrontRing:
    """Where C finds what is in a ring."""
    first, second = shared.ring.slots[0], shared.ring.slots[1]
    times = first.times.ctypes.data
    return FrontRing(
        head=times - HEAD_BYTES,
        times=times,
        inputs=first.inputs[0].ctypes.data,
        outputs=first.outputs[output].ctypes.data,
        slot_bytes=second.times.ctypes.data - times,
        slots=len(shared.ring.slots),
        rows=len(first.times),
        requests=shared.requests,
        answers=shared.answers,
    )
