"""A session of a pool in this process: what is quick runs in the event loop itself, without a way to anybody else."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor

from edgerig.errors import EdgerigError, TargetError
from edgerig.serve.in_process import InProcessSession
from edgerig.serve.lane import SLOTS, Changed, Done, Results
from edgerig.serve.requests import Batch, total
from edgerig.serve.tensors import NetworkTensors
from edgerig.text import cause_of

_logger = logging.getLogger(__name__)
#: Longest time that a batch may keep the event loop, by those before it: in ns.
QUICK_NS = 5_000_000


class InlineLane:
    """Runs batches one after another; as `edgerig.serve.lane.Lane`, on the event loop on which it is started.

    A batch that takes longer than `QUICK_NS`, or of which that is not known yet, runs in a thread, so that it keeps
    nobody from being heard. Nothing can be begun anew here: an engine that crashes or hangs takes the server along.

    Args:
        session: Open. done, changed: As of `Lane`.
    """

    def __init__(self, session: InProcessSession, tensors: NetworkTensors, done: Done, changed: Changed) -> None:
        self.slots, self.up = SLOTS, True
        self._session, self._tensors, self._on_done, self._changed = session, tensors, done, changed
        self._loop: asyncio.AbstractEventLoop
        self._thread = ThreadPoolExecutor(1, "edgerig serve lane")
        self._in_thread = 0
        self._sample_ns = math.inf

    @property
    def pid(self) -> int | None:
        """None: no process but this one runs the network."""
        return None

    def start(self) -> None:
        """Begin to take batches, on the running event loop."""
        self._loop = asyncio.get_running_loop()

    def put(self, batch: Batch) -> None:
        """Run a batch, at once or when those before it are done."""
        if not self._in_thread and self._sample_ns * batch.count <= QUICK_NS:
            self._finish(batch, self._result(batch))
            return
        self._in_thread += 1
        self._thread.submit(self._result, batch).add_done_callback(lambda future: self._call(batch, future))

    async def stop(self) -> None:
        """Close the session; to be called when nothing runs any more."""
        await self._loop.run_in_executor(None, self._thread.shutdown)
        self._session.close()

    def _call(self, batch: Batch, future: Future[Results | Exception]) -> None:
        def ended() -> None:
            self._in_thread -= 1
            self._finish(batch, future.result())

        self._loop.call_soon_threadsafe(ended)

    def _finish(self, batch: Batch, result: Results | Exception) -> None:
        if isinstance(result, Results):
            self._sample_ns = total(result.times_ns) / batch.count
        self._on_done(self, batch, result)

    def _result(self, batch: Batch) -> Results | Exception:
        start = time.perf_counter_ns()
        try:
            calls = self._tensors.calls([request.rows for request in batch.requests], raw=batch.raw)
            input_ns = time.perf_counter_ns() - start
            ran = self._session.ran(calls)
            start = time.perf_counter_ns()
            outputs = self._tensors.answers(ran.outputs, batch.count, raw=batch.raw)
            return Results(outputs, ran.times_ns, input_ns, time.perf_counter_ns() - start)
        except EdgerigError as error:
            return error
        except Exception as error:
            _logger.exception("a session failed")
            return TargetError(f"The session failed: {cause_of(error)}.")
