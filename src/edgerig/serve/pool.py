"""Sessions of one network behind one bounded queue."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgerig.artifact import Artifact
from edgerig.errors import EdgerigError, Overloaded, RequestError, TargetError, UsageError
from edgerig.measure.kinds import ModelBand, Unavailable
from edgerig.serve.busy_wait import LONGEST_NS, BusyWait
from edgerig.serve.in_process import InProcessSession, check_in_process
from edgerig.serve.inline_lane import InlineLane
from edgerig.serve.lane import SLOTS, Lane, Opened, Results
from edgerig.serve.requests import Answer, Array, Batch, Request, joined, total
from edgerig.serve.ring_lane import RingLane
from edgerig.serve.second_rings import SecondRings
from edgerig.serve.sessions import Sessions
from edgerig.serve.statistics import Executions
from edgerig.serve.tensors import NetworkTensors, Rows
from edgerig.targets.base import Session, Target
from edgerig.targets.remote.ring_runs import RingRuns
from edgerig.text import cause_of

AnyLane = Lane | RingLane | InlineLane
#: Samples that may wait, and that a session runs at once, by default.
QUEUE, BATCH = 8192, 64
#: Bytes of inputs that may wait.
QUEUE_BYTES = 512 << 20
#: Seconds that a batch may take, by the times of those before it: those in it are answered at its end.
BATCH_SECONDS = 0.1
#: Seconds of inferences that are worth a batch of their own: it costs some 0.1 ms of the server and the session where
#: they are alone, and several times that where others have emptied their caches meanwhile.
WORTH_SECONDS = 0.001
#: Largest input of a sample, in bytes, that the event loop itself quantizes and sends.
SMALL = 64 << 10


class Pool:
    """Answers requests to one network, in sessions of one target.

    `open` it, `start` it on the event loop that its requests come from, `stop` it at the end. All else is called on
    that loop.

    Args:
        artifact: The network.
        target: Where its sessions are opened.
        runtime: The engine there, with its settings ``options``.
        sessions: How many sessions. queue: Samples that may wait. batch: Samples that a session runs at once at most.
        answer_seconds: How long a session of this machine may take for a batch before it counts as hung and is begun
            anew; the target's ``timeout`` by default.
        in_process: Whether the one session runs in this process, see `edgerig.serve.in_process`.
        rings: 2 where a way in runs samples in the sessions by itself, see `second_rings`.

    Attributes:
        tensors: The network's inputs and outputs.
        waiting: Samples that wait for a session now.
        executions: What the network's inferences took so far.
        second_rings: Those of the sessions, for a way in that runs samples there by itself.
        time_model: See `Session.time_model`.
    """

    def __init__(
        self,
        artifact: Artifact,
        target: Target,
        runtime: str,
        options: Mapping[str, Any] | None = None,
        *,
        sessions: int = 1,
        queue: int = QUEUE,
        batch: int = BATCH,
        answer_seconds: float | None = None,
        in_process: bool = False,
        rings: int = 1,
    ) -> None:
        if min(sessions, queue, batch) < 1:
            raise UsageError("A pool has at least one session, room for one sample, and batches of one.")
        if in_process:
            check_in_process(target, sessions)
        self.artifact, self.target, self.runtime = artifact, target, runtime
        self.sessions, self.queue, self.batch = sessions, queue, batch
        self._sessions = Sessions(
            artifact, target, runtime, options or {}, answer_seconds, in_process=in_process, rings=rings
        )
        self.second_rings = SecondRings(lambda: self._lanes)
        self.each_alone = self._sessions.each_alone
        self.waiting = 0
        self.tensors: NetworkTensors
        self.executions = Executions()
        self.time_model: ModelBand | Unavailable | None = None
        self._requests: collections.deque[Request] = collections.deque()
        #: Sessions that no lane has yet, each with its ring, if it has one.
        self._opened: list[Opened] = []
        self._lanes: list[AnyLane] = []
        self._running = 0
        self._scheduled = False
        #: Time of a sample on the device, of late; unknown before the first.
        self._sample_ns = math.inf
        self._busy_wait = BusyWait()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: asyncio.Future[None] | None = None
        self._unreachable: Exception | None = None

    # ---- life

    def open(self) -> None:
        """Open the sessions.

        Raises:
            TargetError: The target is not there. InferenceError: Its engine refuses the network.
            IncompatibleError: It holds fewer sessions, or the network's shape is not fixed.
        """
        self._opened = self._sessions.open_all(self.sessions, self._describe)

    def _describe(self, session: Session) -> int:
        """Learn from the first session what the network is; inferences of the largest batch."""
        report = session.load_report
        self.tensors = NetworkTensors(self.artifact.name, report.inputs, report.outputs)
        self.time_model = session.time_model()
        return self._calls()

    def _calls(self) -> int:
        return -(-self.batch // self.tensors.batch)

    def _open_one(self) -> Opened:
        return self._sessions.open(self._calls())

    def _lane(self, session: Session, ring: RingRuns | None) -> AnyLane:
        calls = (self.tensors, self._open_one, self._finish, self._lane_is)
        if isinstance(session, InProcessSession):
            return InlineLane(session, self.tensors, self._finish, self._lane_is)
        if ring is not None and self.tensors.row_bytes <= SMALL:
            return RingLane(session, ring, *calls, self.second_rings)
        return Lane(session, ring, *calls, each_alone=self.each_alone)

    def start(self) -> None:
        """Begin to answer, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        opened, self._opened = self._opened, []
        self._lanes = [self._lane(session, ring) for session, ring in opened]
        for lane in self._lanes:
            lane.start()

    async def stop(self, deadline: float = 30.0) -> None:
        """Refuse new requests, finish those that were accepted within ``deadline`` seconds, and close the sessions."""
        self._stopping = True
        if self._running or self._requests:
            self._idle = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle, deadline)
        self._fail_waiting(Overloaded("The server has stopped.", "Ask it again when it runs."))
        await asyncio.gather(*(lane.stop() for lane in self._lanes))
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def close(self) -> None:
        """Close sessions that were opened and are in no use."""
        for session, ring in self._opened:
            if ring is not None:
                ring.close()
            session.close()
        self._opened = []
        self.target.close()

    # ---- requests

    def share(self, samples: int) -> int:
        """How many of so many samples one session gets: as many as each other one, unless they take so little time
        that a batch more costs more than it saves."""
        worth = int(WORTH_SECONDS * 1e9 / self._sample_ns)
        return max(1, worth, -(-samples // max(1, self.live)))

    @property
    def ready(self) -> bool:
        """Whether requests are taken and a session is there to run them."""
        return not self._stopping and any(lane.up for lane in self._lanes)

    @property
    def live(self) -> int:
        """Number of sessions that are there now."""
        return sum(lane.up for lane in self._lanes)

    @property
    def pids(self) -> list[int]:
        """The processes of this machine that run the network."""
        return [pid for lane in self._lanes if (pid := lane.pid) is not None]

    async def infer(self, inputs: Mapping[str, Array], *, raw: bool = False) -> Answer:
        """Run n samples.

        Args:
            inputs: For each input of the network, by its name, an array (n, *shape of a sample) of real numbers, which
                are quantized for a network with integer inputs; with ``raw`` arrays of exactly the inputs' dtypes.

        Returns:
            The outputs, each (n, ...): dequantized to float32, or with ``raw`` in the outputs' dtypes.

        Raises:
            RequestError: A name, shape or dtype is wrong.
            Overloaded: The queue is full, or the pool stops.
            DatasetError: A value cannot be quantized. InferenceError: The engine failed.
            TargetError: The session was lost while it ran this request, or none can be had.
        """
        request = await self.run(self.tensors.rows(inputs, raw=raw), raw=raw)
        assert request.outputs is not None
        outputs = self.tensors.by_name(request.outputs)
        return Answer(outputs=outputs, queue_ns=request.queue_ns, network_ns=request.network_ns)

    async def run(self, rows: Rows, *, raw: bool = False) -> Request:
        """Run rows that `NetworkTensors.rows` has checked: the request with its outputs. Raises what `infer` does."""
        count = len(rows[0])
        if count > self.queue:
            raise RequestError(f"{count} samples came at once; at most {self.queue} can wait.", "Send fewer at once.")
        if count > self.batch and not self.each_alone:
            return await self._run_in_parts(rows, raw)
        assert self._loop is not None, "start() comes first"
        future: asyncio.Future[Request] = self._loop.create_future()

        def done(request: Request) -> None:
            if not future.done():
                future.set_result(request)

        request = self.submit(rows, done, raw=raw)
        try:
            await future
        except asyncio.CancelledError:
            request.abandoned = True
            raise
        if request.error is not None:
            raise request.error
        return request

    async def _run_in_parts(self, rows: Rows, raw: bool) -> Request:
        tasks = [
            asyncio.ensure_future(self.run(tuple(array[first : first + self.batch] for array in rows), raw=raw))
            for first in range(0, len(rows[0]), self.batch)
        ]
        try:
            return joined(await asyncio.gather(*tasks), rows)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise

    def submit(
        self, rows: Rows, done: Callable[[Request], None], *, raw: bool = False, together: bool = False
    ) -> Request:
        """Take a request with rows that `NetworkTensors.rows` has checked; ``done`` is called with it at its end.

        Args:
            together: Whether it had better wait for others of this round of the loop, even where nobody else asks.

        Raises:
            Overloaded: The queue is full, or the pool stops. TargetError: No session can be had.
        """
        if self._stopping:
            raise Overloaded("The server is stopping.", "Ask it again when it runs.")
        if self._unreachable is not None:
            raise _again(self._unreachable)
        if self.waiting >= self.queue or (self.waiting + len(rows[0])) * self.tensors.row_bytes > QUEUE_BYTES > 0:
            raise Overloaded(
                f"{self.waiting} samples are waiting for the network, as many as the queue holds.",
                "Ask again later, or serve with more --sessions.",
            )
        request = Request(rows, raw, done)
        if not (together or self._running or self._requests) and request.count <= self.batch:
            # Nobody else asks: it need not wait for the end of this round of the loop, and for others to go with it.
            for lane in self._lanes:
                if lane.up and lane.slots == SLOTS:
                    self._give(lane, Batch([request]))
                    self._wait_for(lane, request)
                    return request
        self._requests.append(request)
        self.waiting += request.count
        self._schedule()
        return request

    def _wait_for(self, lane: AnyLane, request: Request) -> None:
        """Have the answer at once, where that pays."""
        if isinstance(lane, RingLane) and self._sample_ns < LONGEST_NS:
            allowance = self._busy_wait.allowance(request.entered_ns)
            if allowance:
                self._busy_wait.waited(in_vain=not lane.wait(allowance))

    # ---- on the loop

    def _schedule(self) -> None:
        """Have batches made at the end of this round of the loop, of all that has come in it."""
        if not self._scheduled:
            assert self._loop is not None
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """Give waiting requests to sessions that have nothing to do, then to those that have one batch under way."""
        self._scheduled = False
        while self._requests:
            lane = max(self._lanes, key=_free_slots)
            free = _free_slots(lane)
            # Behind a batch that runs only a whole one: what comes meanwhile is run together, which costs less.
            if not free or (free == 1 and self.waiting < self.batch):
                break
            batch = self._next_batch()
            if batch is None:
                break
            self._give(lane, batch)
            if lane.slots == SLOTS:
                # It was run here and now: others are heard before the next one.
                break
        if self._idle is not None and not self._running and not self._requests and not self._idle.done():
            self._idle.set_result(None)

    def _give(self, lane: AnyLane, batch: Batch) -> None:
        lane.slots -= 1
        self._running += 1
        lane.put(batch)

    def _next_batch(self) -> Batch | None:
        share = self.share(self.waiting)
        within_time = int(BATCH_SECONDS * 1e9 / self._sample_ns)
        limit = max(1, min(self.batch, share, within_time))
        chosen, count, now = list[Request](), 0, time.perf_counter_ns()
        while self._requests:
            request = self._requests[0]
            if chosen and not self._joins(chosen[0], request, count, limit):
                break
            self._requests.popleft()
            self.waiting -= request.count
            if request.abandoned:
                continue
            request.sent_ns = now
            count += request.count
            chosen.append(request)
        return Batch(chosen) if chosen else None

    def _joins(self, first: Request, request: Request, count: int, limit: int) -> bool:
        apart = self.each_alone or first.alone or request.alone
        return not apart and request.raw == first.raw and count + request.count <= limit

    def _finish(self, lane: AnyLane, batch: Batch, result: Results | Exception | None) -> None:
        lane.slots += 1
        self._running -= 1
        self._busy_wait.answered(time.perf_counter_ns())
        if isinstance(result, Results):
            self._note_time(result, batch.count)
            batch.answer(result.outputs, result.times_ns, self.tensors.batch, (result.input_ns, result.output_ns))
        elif result is not None and len(batch.requests) == 1:
            batch.requests[0].fail(result)
        else:
            for request in reversed(batch.requests):
                # One of those that were run may be at fault: each is tried once more by itself.
                request.alone |= result is not None
                self._requests.appendleft(request)
                self.waiting += request.count
        if self._requests or self._stopping:
            self._schedule()

    def _note_time(self, result: Results, count: int) -> None:
        spent_ns = total(result.times_ns)
        self.executions.add(len(result.times_ns), spent_ns, result.input_ns, result.output_ns)
        sample_ns = max(1.0, spent_ns / count)
        before = self._sample_ns
        self._sample_ns = sample_ns if before == math.inf else before + 0.2 * (sample_ns - before)

    def _lane_is(self, lane: AnyLane, up: bool, error: Exception | None) -> None:
        lane.up = up
        if up:
            self._unreachable = None
        elif error is not None and not self.live:
            self._unreachable = error
            self._fail_waiting(error)
            self.second_rings.unreachable(error)
        self._schedule()

    def _fail_waiting(self, error: Exception) -> None:
        while self._requests:
            request = self._requests.popleft()
            self.waiting -= request.count
            request.fail(_again(error))


def _free_slots(lane: AnyLane) -> int:
    return lane.slots if lane.up else 0


def _again(error: Exception) -> Exception:
    """The same error, to be raised once more: each has a traceback of its own."""
    if isinstance(error, Overloaded):
        return Overloaded(error.message, error.hint)
    if isinstance(error, EdgerigError):
        return TargetError(error.message, error.hint)
    return TargetError(f"No session can be opened: {cause_of(error)}.")
