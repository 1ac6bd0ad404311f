"""A session of a pool to which the event loop itself gives samples, in shared memory: no thread waits for it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import math
import time
from collections.abc import Callable

from edgerig.errors import EdgerigError, TargetError
from edgerig.serve.lane import CLOSE_SECONDS, LONGEST_PAUSE, PAUSE, SLOTS, Changed, Done, Opened, Results
from edgerig.serve.requests import Batch
from edgerig.serve.second_rings import SecondRings
from edgerig.serve.tensors import NetworkTensors
from edgerig.targets.base import Session
from edgerig.targets.remote.ring_runs import Ran, RingRuns, SharedRing, not_in_time

_logger = logging.getLogger(__name__)


class RingLane:
    """Runs batches one after another; as `edgerig.serve.lane.Lane`, on the event loop on which it is started.

    Args:
        session: Open. ring: Over it. reopen: Opens another one, with a ring.
        second_rings: Hears of the session's second ring, if it has one.
    """

    def __init__(
        self,
        session: Session,
        ring: RingRuns,
        tensors: NetworkTensors,
        reopen: Callable[[], Opened],
        done: Done,
        changed: Changed,
        second_rings: SecondRings,
    ) -> None:
        self.slots, self.up = SLOTS, True
        self._second_rings = second_rings
        self._session: Session | None = session
        self._runs: RingRuns | None = ring
        self._tensors, self._reopen, self._done, self._changed = tensors, reopen, done, changed
        self._batches: collections.deque[Batch] = collections.deque()
        self._loop: asyncio.AbstractEventLoop
        #: When the batch that runs began, and the next look whether it takes too long.
        self._since = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._stopping = False
        self._replacing: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs the network, if there is one now."""
        return self._session.pid if self._session is not None else None

    @property
    def second(self) -> SharedRing | None:
        """The session's second ring, for somebody else; None where there is none, or no session."""
        return self._runs.second if self._runs is not None else None

    def nonsense(self, what: str) -> EdgerigError:
        """The error of a session that has answered what cannot be."""
        return self._runs.nonsense(what) if self._runs is not None else TargetError("The session is lost.")

    @property
    def patience(self) -> float:
        """Seconds that the session may take for an answer."""
        return self._runs.patience if self._runs is not None else math.inf

    def lose(self, error: EdgerigError) -> None:
        """Give the session up, and open another one."""
        if self._runs is not None:
            self._lost(error)

    def start(self) -> None:
        """Begin to take batches, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._watch()

    def put(self, batch: Batch) -> None:
        """Run a batch when those before it are done."""
        if self._runs is None:
            self._loop.call_soon(self._done, self, batch, None)
            return
        start = time.perf_counter_ns()
        try:
            calls = self._tensors.calls([request.rows for request in batch.requests], raw=batch.raw)
        except Exception as error:
            self._loop.call_soon(self._done, self, batch, error)
            return
        batch.input_ns = time.perf_counter_ns() - start
        if not self._batches:
            self._since = self._loop.time()
        self._batches.append(batch)
        if self._look is None:
            self._look = self._loop.call_later(self._runs.patience, self._look_at_time)
        self._runs.begin(calls)

    def wait(self, ns: int) -> bool:
        """Wait for an answer so long, and tell whoever asked: whether there was one."""
        if self._runs is None or not self._runs.wait(ns):
            return False
        self._answered()
        return True

    async def stop(self) -> None:
        """Close the session; to be called when nothing runs any more."""
        self._stopping = True
        if self._look is not None:
            self._look.cancel()
        if self._replacing is not None:
            self._replacing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._replacing
        await self._loop.run_in_executor(None, self._close())

    def _watch(self) -> None:
        assert self._runs is not None
        self._loop.add_reader(self._runs.fd, self._answered)
        self._loop.add_reader(self._runs.lost_fd, self._hung_up)
        self._second_rings.opened(self)

    def _look_at_time(self) -> None:
        """Give up a session that has not answered for too long."""
        self._look = None
        if self._runs is None or not self._batches:
            return
        patience = self._runs.patience
        left = self._since + patience - self._loop.time()
        if left > 0:
            self._look = self._loop.call_later(left, self._look_at_time)
            return
        self._lost(not_in_time(patience))

    def _answered(self) -> None:
        if self._runs is None:
            return
        try:
            ended = self._runs.receive()
        except EdgerigError as error:
            self._lost(error)
            return
        if len(ended) == 1 and isinstance(ended[0], Ran):
            self._end_first(ended[0])
            return
        lost = next((position for position, result in enumerate(ended) if isinstance(result, TargetError)), len(ended))
        # All of them before anybody is told: none may ever get another batch's result.
        batches = [self._batches.popleft() for _ in ended[:lost]]
        if ended:
            self._since = self._loop.time()
        for batch, result in zip(batches, ended, strict=False):
            self._done(self, batch, self._results(batch, result) if isinstance(result, Ran) else result)
        if lost < len(ended):
            loss = ended[lost]
            assert isinstance(loss, TargetError)
            self._lost(loss)

    def _end_first(self, ran: Ran) -> None:
        """What is usual: one batch has its results."""
        batch = self._batches.popleft()
        if self._batches:
            self._since = self._loop.time()
        self._done(self, batch, self._results(batch, ran))

    def _results(self, batch: Batch, ran: Ran) -> Results | Exception:
        start = time.perf_counter_ns()
        try:
            outputs = self._tensors.answers(ran.outputs, batch.count, raw=batch.raw)
            return Results(outputs, ran.times_ns, batch.input_ns, time.perf_counter_ns() - start)
        except EdgerigError as error:
            return error

    def _hung_up(self) -> None:
        """The session's process has ended, or says why it will: answers that it gave before are taken."""
        self._answered()
        if self._runs is not None:
            self._lost(self._runs.loss())

    def _lost(self, error: EdgerigError) -> None:
        """The batch that ran may be at fault, the one behind it was not begun; another session takes its turn."""
        batches, self._batches = self._batches, collections.deque()
        self._end_ring(error)
        self._changed(self, False, None)
        for position, batch in enumerate(batches):
            self._loop.call_soon(self._done, self, batch, error if position == 0 else None)
        if not self._stopping:
            _logger.warning("a session is replaced: %s", error)
            self._replacing = self._loop.create_task(self._replace())

    async def _replace(self) -> None:
        await self._loop.run_in_executor(None, self._close())
        pause = PAUSE
        while True:
            opening = self._loop.run_in_executor(None, self._reopen)
            try:
                session, ring = await asyncio.shield(opening)
            except asyncio.CancelledError:
                await self._discard(opening)
                raise
            except Exception as error:
                self._changed(self, False, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            assert ring is not None, "a session of this machine has one, or is not opened"
            self._session, self._runs = session, ring
            self._watch()
            self._replacing = None
            self._changed(self, True, None)
            return

    async def _discard(self, opening: asyncio.Future[Opened]) -> None:
        """Close a session that is still being opened: the thread that does it cannot be stopped."""
        with contextlib.suppress(Exception):
            session, ring = await asyncio.wait_for(opening, CLOSE_SECONDS)
            if ring is not None:
                ring.close()
            await self._loop.run_in_executor(None, session.close)

    def _end_ring(self, error: Exception | None = None) -> None:
        if self._runs is not None:
            self._second_rings.ends(self, error)
            self._loop.remove_reader(self._runs.fd)
            self._loop.remove_reader(self._runs.lost_fd)
            self._runs.close()
            self._runs = None

    def _close(self) -> Callable[[], None]:
        """Closes the session that there is now; in another thread, as that waits for its process."""
        session, self._session = self._session, None
        self._end_ring()

        def close() -> None:
            if session is not None:
                with contextlib.suppress(EdgerigError, OSError):
                    session.close()

        return close
