"""Requests on their way through a pool."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.serve.tensors import Rows

_logger = logging.getLogger(__name__)
Array = NDArray[Any]
_NO_TIMES = np.zeros(0, np.int64)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool answers.

    Attributes:
        outputs: For each output of the network, by its name, an array (n, ...).
        queue_ns: From the request's entry into the pool until a session took it.
        network_ns: On the device's clock, the inferences that the request's samples were part of, together.
    """

    outputs: dict[str, Array]
    queue_ns: int
    network_ns: int


class Request:
    """A request in a pool. Whoever waits for it sees its result in ``done``.

    Args:
        rows: What `NetworkTensors.rows` gives, n samples.
        raw: Whether they, and the answer, are in the network's own dtypes.
        done: Called once, on the pool's event loop, with this request; ``outputs`` or ``error`` is set then.

    Attributes:
        count: Number of samples, n.
        outputs: For each output an array (n, ...). error: Why there are none.
        entered_ns, sent_ns: When it entered the pool, and when a session took it, by `time.perf_counter_ns`.
        times_ns: Of each inference that its samples were part of, shape (inferences,).
        input_ns, output_ns: What making inputs, and answers of outputs, took for the batches that it was part of.
        alone: Whether it shares no batch with others, as it may be the one that a session failed of.
        abandoned: Whether nobody waits for it any more.
    """

    __slots__ = (
        "abandoned",
        "alone",
        "count",
        "done",
        "entered_ns",
        "error",
        "input_ns",
        "output_ns",
        "outputs",
        "raw",
        "rows",
        "sent_ns",
        "times_ns",
    )

    def __init__(self, rows: Rows, raw: bool, done: Callable[[Request], None]) -> None:
        self.rows, self.raw, self.done, self.count = rows, raw, done, len(rows[0])
        self.outputs: Rows | None = None
        self.error: Exception | None = None
        self.entered_ns = self.sent_ns = time.perf_counter_ns()
        self.times_ns: NDArray[np.int64] = _NO_TIMES
        self.input_ns = self.output_ns = 0
        self.alone = self.abandoned = False

    @property
    def queue_ns(self) -> int:
        """How long it waited for a session."""
        return self.sent_ns - self.entered_ns

    @property
    def network_ns(self) -> int:
        """The inferences' time together."""
        return total(self.times_ns)

    def answer(self, outputs: Rows, times_ns: NDArray[np.int64]) -> None:
        """Give its outputs to whoever waits."""
        self.outputs, self.times_ns = outputs, times_ns
        self._end()

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that there is no answer."""
        self.error = error
        self._end()

    def _end(self) -> None:
        try:
            self.done(self)
        except Exception:
            # The others of its batch wait for their answers, too.
            _logger.exception("a request could not be answered")


def total(times_ns: NDArray[np.int64]) -> int:
    """The sum of times, mostly of a single one: numpy takes ten times as long to add up one as to give it."""
    return int(times_ns[0]) if len(times_ns) == 1 else int(times_ns.sum())


def joined(parts: Sequence[Request], rows: Rows) -> Request:
    """A request whose ``rows`` were run in parts, each of which has its outputs."""
    whole = Request(rows, parts[0].raw, parts[0].done)
    whole.entered_ns, whole.sent_ns = parts[0].entered_ns, parts[0].sent_ns
    whole.input_ns, whole.output_ns = sum(part.input_ns for part in parts), sum(part.output_ns for part in parts)
    whole.times_ns = np.concatenate([part.times_ns for part in parts])
    whole.outputs = tuple(
        np.concatenate(column) for column in zip(*(part.outputs or () for part in parts), strict=True)
    )
    return whole


class Batch:
    """Requests that a session runs at once.

    Args:
        requests: At least one; all raw, or none.
    """

    __slots__ = ("count", "input_ns", "raw", "requests")

    def __init__(self, requests: list[Request]) -> None:
        self.requests, self.raw = requests, requests[0].raw
        self.count = requests[0].count if len(requests) == 1 else sum([request.count for request in requests])
        self.input_ns = 0

    def answer(
        self, outputs: Rows, times_ns: NDArray[np.int64], batch: int, conversion_ns: tuple[int, int] = (0, 0)
    ) -> None:
        """Give each request its part.

        Args:
            outputs: For each output an array of all rows. times_ns: Of each inference, of ``batch`` rows.
            conversion_ns: What making the inputs, and the outputs' rows, took.
        """
        if len(self.requests) == 1:
            request = self.requests[0]
            request.input_ns, request.output_ns = conversion_ns
            request.answer(outputs, times_ns)
            return
        first = 0
        for request in self.requests:
            request.input_ns, request.output_ns = conversion_ns
            last = first + request.count
            calls = times_ns[first // batch : -(-last // batch)]
            request.answer(tuple(array[first:last] for array in outputs), calls)
            first = last
