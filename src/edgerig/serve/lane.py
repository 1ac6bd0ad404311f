"""A session of a pool, in a thread of its own; replaced when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import EdgerigError, InferenceError, TargetError
from edgerig.serve.requests import Batch
from edgerig.serve.tensors import NetworkTensors, Rows
from edgerig.targets.base import Session
from edgerig.targets.remote.ring_runs import RingRuns
from edgerig.text import cause_of

_logger = logging.getLogger(__name__)
#: Pause in seconds before another attempt to open a session: the first, and the longest.
PAUSE, LONGEST_PAUSE = 0.1, 5.0
#: Batches that a lane takes: one that runs, and one that waits so that there is no gap.
SLOTS = 2
#: Seconds that a session gets to end.
CLOSE_SECONDS = 10.0


class Results(msgspec.Struct, frozen=True):
    """What came of a batch.

    Attributes:
        outputs: Of its rows. times_ns: Of each inference, shape (inferences,).
        input_ns, output_ns: What making the network's inputs of the rows took, and rows of its outputs.
    """

    outputs: Rows
    times_ns: NDArray[np.int64]
    input_ns: int
    output_ns: int


#: A session, and memory that is shared with it, where it is.
Opened = tuple[Session, RingRuns | None]
#: Called with a lane, a batch and its results, or the error; None if the batch was not begun.
Done = Callable[[Any, Batch, "Results | Exception | None"], None]
#: Called with a lane: whether there is a session now, and after an attempt in vain why there is none.
Changed = Callable[[Any, bool, "Exception | None"], None]


class Lane:
    """Runs batches one after another.

    Args:
        session: Open. ring: Memory that is shared with it, if it is. tensors: Of its network.
        reopen: Opens another one.
        done, changed: Called on the event loop on which the lane is started.
        each_alone: Whether every request is a sequence of its own, of a network that keeps state.

    Attributes:
        slots: How many more batches it takes: one that runs, and one that waits so that there is no gap.
        up: Whether there is a session; the pool keeps both.
    """

    def __init__(
        self,
        session: Session,
        ring: RingRuns | None,
        tensors: NetworkTensors,
        reopen: Callable[[], Opened],
        done: Done,
        changed: Changed,
        *,
        each_alone: bool = False,
    ) -> None:
        self.slots, self.up = SLOTS, True
        self._session: Session | None = session
        self._ring = ring
        self._tensors, self._reopen, self._on_done, self._on_changed = tensors, reopen, done, changed
        self._loop: asyncio.AbstractEventLoop
        self._each_alone = each_alone
        self._batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="edgerig serve lane", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process of this machine that runs the network, if there is one."""
        return self._session.pid if self._session is not None else None

    def start(self) -> None:
        """Begin to take batches, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Run a batch when those before it are done."""
        self._batches.put(batch)

    async def stop(self) -> None:
        """Take no more batches, and close the session when the last one is done."""
        self._stopping.set()
        self._batches.put(None)
        await self._loop.run_in_executor(None, self._thread.join, CLOSE_SECONDS)

    def _done(self, batch: Batch, result: Results | Exception | None) -> None:
        self._call(self._on_done, self, batch, result)

    def _changed(self, up: bool, error: Exception | None) -> None:
        self._call(self._on_changed, self, up, error)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        # After the deadline of a stop the loop may be closed.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _serve(self) -> None:
        while (batch := self._batches.get()) is not None:
            result = self._result(batch)
            lost = isinstance(result, Exception) and not isinstance(result, InferenceError | _BadRows)
            if lost:
                # First of all, so that this batch is not given to this lane again.
                self._changed(False, None)
            self._done(batch, result.cause if isinstance(result, _BadRows) else result)
            if lost:
                assert isinstance(result, Exception)
                self._return_batches()
                self._replace(result)
        self._close()

    def _return_batches(self) -> None:
        """Give back what waits here, as no session is there to run it."""
        while True:
            try:
                batch = self._batches.get_nowait()
            except queue.Empty:
                return
            if batch is None:  # that of `stop`
                self._batches.put(None)
                return
            self._done(batch, None)

    def _result(self, batch: Batch) -> Results | Exception:
        session = self._session
        if session is None:
            return TargetError("The session that the network ran in was lost.")
        start = time.perf_counter_ns()
        try:
            calls = self._tensors.calls([request.rows for request in batch.requests], raw=batch.raw)
        except Exception as error:
            return _BadRows(error)
        input_ns = time.perf_counter_ns() - start
        try:
            if self._each_alone:
                session.begin_sequence()
            # Large samples through a socket would take a hundred turns between the two processes.
            run = session.run(calls) if self._ring is None else self._ring.run(calls)
            start = time.perf_counter_ns()
            outputs = self._tensors.answers(run.outputs, batch.count, raw=batch.raw)
            return Results(outputs, run.times_ns, input_ns, time.perf_counter_ns() - start)
        except EdgerigError as error:
            return error
        except Exception as error:
            _logger.exception("a session failed")
            return TargetError(f"The session failed: {cause_of(error)}.")

    def _replace(self, error: Exception) -> None:
        """Open another session; tries again until there is one, or `stop` is called."""
        _logger.warning("a session is replaced: %s", error)
        self._close()
        pause = PAUSE
        while not self._stopping.is_set():
            try:
                self._session, self._ring = self._reopen()
            except Exception as again:
                self._changed(False, again)
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            self._changed(True, None)
            return

    def _close(self) -> None:
        session, self._session = self._session, None
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()
        if session is not None:
            with contextlib.suppress(EdgerigError, OSError):
                session.close()


class _BadRows(Exception):  # noqa: N818 - carries the error of a request's own values
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause
