"""Samples run by a process of this machine, through memory that is shared with it; an event loop is told of answers."""

from __future__ import annotations

import collections
import contextlib
import os
import select
import socket
import time
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import AnswerError, EdgerigError, TargetError
from edgerig.targets.base import Array
from edgerig.targets.remote.session import WireSession
from edgerig.tensors import TensorSpec
from edgerig.wire import answers, messages
from edgerig.wire.frame import Kind
from edgerig.wire.link import PairLink
from edgerig.wire.messages import TracedFailure, pack
from edgerig.wire.ring import FAILURE_BYTES, Ring, RingHeader, Slot, available, bytes_of, fits, new_memory, slot_bytes

#: Slots: one that is worked on, those that wait so that there is no gap, and one that is read; for large samples fewer.
SLOTS, FEW_SLOTS = 4, 2
#: Bytes of a slot at most, unless a single inference has more; and of a single inference.
SLOT_BYTES, LARGEST = 4 << 20, 256 << 20


class Ran(msgspec.Struct, frozen=True):
    """One array (n, ...) for each output, and the on-device time of each inference in ns, shape (n,)."""

    outputs: tuple[Array, ...]
    times_ns: NDArray[np.int64]


class _Work:
    """Samples of one `RingRuns.begin`: which are written, and what came of those that are answered."""

    __slots__ = ("count", "done", "error", "inputs", "parts", "written")

    def __init__(self, inputs: Sequence[Array]) -> None:
        self.inputs, self.count = inputs, len(inputs[0])
        self.written = self.done = 0
        self.parts: list[Ran] = []
        self.error: EdgerigError | None = None


class SharedRing:
    """A ring, and its counters of requests and of answers.

    Args:
        undo: Gets what closes its descriptors.

    Attributes:
        ring: Its slots. requests, answers: The counters.
        descriptors: Of its memory, and of both of these.
    """

    def __init__(
        self,
        header: RingHeader,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        undo: contextlib.ExitStack,
    ) -> None:
        memory = new_memory(header.slots * slot_bytes(header.rows, inputs, outputs))
        undo.callback(os.close, memory)
        self.requests = os.eventfd(0, os.EFD_CLOEXEC)
        undo.callback(os.close, self.requests)
        self.answers = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        undo.callback(os.close, self.answers)
        self.ring, self.descriptors = Ring(memory, header, inputs, outputs), [memory, self.requests, self.answers]


class RingRuns:
    """Runs samples on a session of this machine, through a ring.

    While one of these exists nothing else may use the session. Nothing but `run` waits.

    Args:
        session: See `serves`.
        rows: Inferences that are begun at once, mostly; more take several slots.
        rings: 2 for another ring, alike, for somebody else than this object.

    Attributes:
        second: That ring.
        patience: Seconds that the session may take for an answer.
        fd: Readable when `receive` has something to do. lost_fd: Readable when the session is lost.

    Raises:
        TargetError: The session is lost, or there is no such memory.
    """

    def __init__(self, session: WireSession, rows: int, rings: int = 1) -> None:
        self._session, self._client, self.patience = session, session.client, session.client.timeout
        inputs, outputs = session.load_report.inputs, session.load_report.outputs
        each = bytes_of(inputs, outputs)
        self._rows = max(1, min(rows, SLOT_BYTES // each))
        self._slots = SLOTS if each * SLOTS <= SLOT_BYTES else FEW_SLOTS
        header = RingHeader(self._slots, self._rows, rings)
        link = self._client.link
        assert isinstance(link, PairLink)
        self.lost_fd = link.socket.fileno()
        self._client.request(Kind.RING, pack(header))
        with contextlib.ExitStack() as undo:
            try:
                shared = [SharedRing(header, inputs, outputs, undo) for _ in range(rings)]
                descriptors = [descriptor for each in shared for descriptor in each.descriptors]
                socket.send_fds(link.socket, [b"\0"], descriptors)
            except OSError as error:
                self._client.broken = True
                raise TargetError(f"No memory can be shared with the session: {error.strerror}.") from error
            # Kept from here on, but for the memory's own, which its mapping outlives.
            undo.pop_all()
            for kept in shared:
                os.close(kept.descriptors[0])
        self._ring, self._requests, self.fd = shared[0].ring, shared[0].requests, shared[0].answers
        self.second = shared[1] if rings > 1 else None
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN)
        self._number = 0
        self._work: collections.deque[_Work] = collections.deque()
        #: The slots that are written and not answered: whose work, how many inferences, since when (ns).
        self._sent: collections.deque[tuple[_Work, int, int]] = collections.deque()
        self._clock = session.load_report.clock

    @staticmethod
    def serves(session: object) -> bool:
        """Whether it can be used so: its network runs in a process of this machine, and all sizes are known
        and none is too large."""
        return (
            isinstance(session, WireSession)
            and session.pid is not None
            and session.protocol == "run"
            and isinstance(session.client.link, PairLink)
            and available()
            and session.client.supports(Kind.RING)
            and fits(session.load_report.inputs, session.load_report.outputs)
            and bytes_of(session.load_report.inputs, session.load_report.outputs) <= LARGEST
        )

    def begin(self, inputs: Sequence[Array]) -> None:
        """Run samples, behind those that were begun before; arrays (n, *call_shape), in the inputs' dtypes."""
        work = _Work(inputs)
        self._work.append(work)
        if len(self._work) == 1 and work.count <= self._rows:
            # No other work has any slot.
            self._write_part(work)
        else:
            self._write()

    def run(self, inputs: Sequence[Array]) -> Ran:
        """Run samples and wait for them, where nothing else is under way; for a thread, and no event loop.

        Raises:
            TargetError: The session is lost, or does not answer in time. InferenceError: The engine failed.
        """
        self.begin(inputs)
        poll = select.poll()
        for descriptor in (self.fd, self.lost_fd):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = poll.poll(1e3 * self.patience)
            if not ready:
                raise not_in_time(self.patience)
            for result in self.receive():
                if isinstance(result, EdgerigError):
                    raise result
                return result
            if any(descriptor == self.lost_fd for descriptor, _ in ready):
                raise self.loss()

    def wait(self, ns: int) -> bool:
        """Whether `receive` has something to do within so long; the thread keeps its processor."""
        ready, end = self._poll.poll, time.perf_counter_ns() + ns
        while not ready(0):
            if time.perf_counter_ns() > end:
                return False
        return True

    def _write(self) -> None:
        """Write as much into the ring as it has room for."""
        for work in self._work:
            while work.written < work.count and work.error is None:
                if len(self._sent) == self._slots:
                    return
                self._write_part(work)

    def _write_part(self, work: _Work) -> None:
        first, count = work.written, min(self._rows, work.count - work.written)
        self._number += 1
        slot = self._ring.slot(self._number)
        if work.count == 1:
            for target, array in zip(slot.first_inputs, work.inputs, strict=True):
                target[...] = array
        else:
            for target, array in zip(slot.inputs, work.inputs, strict=True):
                target[:count] = array[first : first + count]
        slot.write_head(self._number, count)
        work.written += count
        self._sent.append((work, count, time.perf_counter_ns()))
        os.eventfd_write(self._requests, 1)

    def receive(self) -> list[Ran | EdgerigError]:
        """What has become of samples that were begun, in their order: results, or the engine's failure.

        Raises:
            TargetError: An answer cannot be.
        """
        try:
            count = os.eventfd_read(self.fd)
        except BlockingIOError:
            return []
        if count > len(self._sent):
            raise self.nonsense(f"{count} answers to {len(self._sent)} requests")
        ended: list[Ran | EdgerigError] = []
        for _ in range(count):
            work, rows, start = self._sent[0]
            result = self._result(self._ring.slot(self._number - len(self._sent) + 1), rows, start)
            self._sent.popleft()
            if rows == work.count:
                # What is usual: one slot held all of it.
                self._work.popleft()
                ended.append(result)
                continue
            if isinstance(result, Ran):
                work.parts.append(result)
            else:
                work.error = work.error or result
            work.done += rows
            if work.done == work.written and (work.done == work.count or work.error is not None):
                self._work.popleft()
                ended.append(work.error or _joined(work.parts))
        if self._work:
            self._write()
        return ended

    def _result(self, slot: Slot, rows: int, start: int) -> Ran | EdgerigError:
        """What a slot says, checked, and copied: the slot is used again."""
        number, count, failure = slot.read_head()
        if number != self._number - len(self._sent) + 1 or count != rows or failure > FAILURE_BYTES:
            raise self.nonsense(f"request {number} of {count} inferences")
        if failure:
            return engine_failure(slot.failure(failure), self._client.who)
        single = rows == 1
        times = slot.first_times.copy() if single else slot.times[:rows].copy()
        span = time.perf_counter_ns() - start
        if not single or not 0 < int(times[0]) <= span:
            answers.check_times(times, self._clock, span, self._client.who)
        outputs = slot.first_outputs if single else [array[:rows] for array in slot.outputs]
        return Ran(tuple([array.copy() for array in outputs]), times)

    def nonsense(self, what: str) -> AnswerError:
        """The error of a session that has answered what cannot be; it is of no use any more."""
        self._client.broken = True
        return AnswerError(f"{self._client.who} does not keep to the protocol: it tells of {what}.")

    def loss(self) -> EdgerigError:
        """Why the session is lost, whose `lost_fd` is readable; it is of no use any more."""
        try:
            self._client.receive_answer(0, 0, 0)
        except EdgerigError as error:
            self._client.broken = True
            return error
        return self.nonsense("what nobody asked for")

    def close(self) -> None:
        """End the exchange; the session's process leaves the ring as soon as it has answered what it has."""
        with contextlib.suppress(OSError):
            if len(self._sent) < self._slots:
                self._ring.slot(self._number + 1).write_head(self._number + 1, 0)
                os.eventfd_write(self._requests, 1)
        os.close(self._requests)
        os.close(self.fd)
        if self.second is not None:
            os.close(self.second.requests)
            os.close(self.second.answers)


def engine_failure(data: bytes, who: str) -> EdgerigError:
    """The error that a slot tells of.

    Raises:
        AnswerError: It is none.
    """
    return messages.error_of(answers.decoded(data, TracedFailure, "RING", who), answer=True)


def not_in_time(seconds: float) -> TargetError:
    """The error of a session that has not answered for so long."""
    return TargetError(
        f"The network did not answer within {seconds:g} s.",
        "Where it needs so long, say so: --answer-within SECONDS.",
    )


def _joined(parts: list[Ran]) -> Ran:
    if len(parts) == 1:
        return parts[0]
    outputs = tuple(np.concatenate(column) for column in zip(*(part.outputs for part in parts), strict=True))
    return Ran(outputs, np.concatenate([part.times_ns for part in parts]))
