"""A session of a pool whose process the event loop itself talks to: no thread, no lock, no wake-up in between."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from collections.abc import Callable

from edgerig.errors import EdgerigError, TargetError
from edgerig.serve.lane import LONGEST_PAUSE, PAUSE, Changed, Done, Results
from edgerig.serve.requests import Batch
from edgerig.serve.tensors import NetworkTensors
from edgerig.targets.base import Session
from edgerig.targets.remote.unwaited import UnwaitedRuns

_logger = logging.getLogger(__name__)


class UnwaitedLane:
    """Runs batches one after another; as `edgerig.serve.lane.Lane`, on the event loop on which it is started.

    Args:
        session: Open, and one that `UnwaitedRuns` serves.
    """

    def __init__(
        self, session: Session, tensors: NetworkTensors, reopen: Callable[[], Session], done: Done, changed: Changed
    ) -> None:
        self.slots, self.up = 2, True
        self._session: Session | None = session
        self._tensors, self._reopen, self._done, self._changed = tensors, reopen, done, changed
        self._runs: UnwaitedRuns | None = None
        self._batches: collections.deque[Batch] = collections.deque()
        self._loop: asyncio.AbstractEventLoop
        self._writing = False
        #: When the batch that runs began, and the next look whether it takes too long.
        self._since = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._stopping = False
        self._replacing: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs the network, if there is one now."""
        return self._session.pid if self._session is not None else None

    def start(self) -> None:
        """Begin to take batches, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._use(self._session)

    def put(self, batch: Batch) -> None:
        """Run a batch when those before it are done."""
        if self._runs is None:
            self._loop.call_soon(self._done, self, batch, None)
            return
        try:
            calls = self._tensors.calls([request.rows for request in batch.requests], raw=batch.raw)
        except Exception as error:
            self._loop.call_soon(self._done, self, batch, error)
            return
        if not self._batches:
            self._since = self._loop.time()
        self._batches.append(batch)
        if self._look is None:
            self._look = self._loop.call_later(self._runs.patience, self._look_at_time)
        try:
            self._runs.begin(calls)
        except EdgerigError as error:
            self._lost(error)
            return
        self._watch_writing()

    async def stop(self) -> None:
        """Close the session; to be called when nothing runs any more."""
        self._stopping = True
        if self._replacing is not None:
            self._replacing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._replacing
        await self._loop.run_in_executor(None, self._close())

    def _use(self, session: Session | None) -> None:
        assert session is not None
        self._session = session
        self._runs = UnwaitedRuns(session)  # type: ignore[arg-type] # `UnwaitedRuns.serves` was asked
        self._loop.add_reader(self._runs.fd, self._readable)

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
        self._lost(
            TargetError(
                f"The network did not answer within {patience:g} s.",
                "Where it needs so long, say so: --answer-within SECONDS.",
            )
        )

    def _watch_writing(self) -> None:
        assert self._runs is not None
        if self._runs.unsent and not self._writing:
            self._writing = True
            self._loop.add_writer(self._runs.fd, self._writable)
        elif self._writing and not self._runs.unsent:
            self._writing = False
            self._loop.remove_writer(self._runs.fd)

    def _writable(self) -> None:
        assert self._runs is not None
        try:
            self._runs.send()
        except EdgerigError as error:
            self._lost(error)
            return
        self._watch_writing()

    def _readable(self) -> None:
        assert self._runs is not None
        while True:
            result: Results | Exception
            try:
                ran = self._runs.receive()
                batch = self._batches[0]
                outputs = self._tensors.answers(ran.outputs, batch.count, raw=batch.raw)
                result = Results(outputs, ran.times_ns)
            except EdgerigError as error:
                if not getattr(self._session, "alive", False) or isinstance(error, TargetError):
                    self._lost(error)
                    return
                result = error
            self._since = self._loop.time()
            self._done(self, self._batches.popleft(), result)
            if self._runs is None or not self._runs.more:
                return

    def _lost(self, error: EdgerigError) -> None:
        """The batch that ran may be at fault, the one behind it was not begun; another session takes its turn."""
        assert self._runs is not None
        self._loop.remove_reader(self._runs.fd)
        if self._writing:
            self._loop.remove_writer(self._runs.fd)
            self._writing = False
        self._runs = None
        batches, self._batches = self._batches, collections.deque()
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
            try:
                session = await self._loop.run_in_executor(None, self._reopen)
            except Exception as error:
                self._changed(self, False, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            self._use(session)
            self._replacing = None
            self._changed(self, True, None)
            return

    def _close(self) -> Callable[[], None]:
        """Closes the session that there is now; in another thread, as that waits for its process."""
        session, self._session = self._session, None
        if self._runs is not None:
            self._loop.remove_reader(self._runs.fd)
            self._runs = None

        def close() -> None:
            if session is not None:
                with contextlib.suppress(EdgerigError, OSError):
                    session.close()

        return close
