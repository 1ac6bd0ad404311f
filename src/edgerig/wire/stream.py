"""Several requests under way at once, so that the device always has the next one at hand."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from edgerig.errors import EdgerigError
from edgerig.wire import messages
from edgerig.wire.exchange import Exchange
from edgerig.wire.frame import Kind
from edgerig.wire.link import Buffers
from edgerig.wire.protocol import Answer

#: Bytes that both ends of any link buffer without a reader.
ALWAYS_TAKEN = 32 * 1024

Request = tuple[Sequence[memoryview], int]


class _Waiting(NamedTuple):
    """A request that is not answered yet, and when it was sent."""

    request: int
    samples: int
    start: int


class Stream:
    """RUN after RUN, at most ``window`` of them unanswered.

    Host and device must never both block in a send. The device answers in order and reads nothing while it answers; so
    whenever the device accepts no more of a request, the host looks for an answer to read. Over a link without
    non-blocking sends, the host sends only while the outstanding answers fit into the link's buffers.
    """

    def __init__(self, exchange: Exchange, requests: Iterable[Request], window: int) -> None:
        self._exchange, self._window = exchange, window
        self._requests: Iterator[Request] = iter(requests)
        self._waiting: deque[_Waiting] = deque()
        self._left: Buffers = ()
        self._failure: EdgerigError | None = None
        self._failed = False

    def answers(self) -> Iterator[Answer]:
        """The answers, in order; raises at the first that failed."""
        try:
            while self._send():
                answer = self._receive()
                if answer is not None:
                    yield answer
            if self._failure is not None:
                raise self._failure
        finally:
            # An abandoned stream leaves answers behind that the next request would take for its own.
            if self._waiting or self._left:
                self._exchange.broken = True

    def _send(self) -> bool:
        """Send as much as the window and the link allow; whether there is an answer to wait for."""
        while True:
            if self._left:
                self._left = self._exchange.continue_send(self._left)
                if self._left and self._exchange.wait():
                    return True
            elif not self._may_send() or not self._send_next():
                return bool(self._waiting)

    def _may_send(self) -> bool:
        if len(self._waiting) >= self._window:
            return False
        if self._exchange.link.duplex or not self._waiting:
            return True
        return sum(waiting.samples for waiting in self._waiting) * self._exchange.answer_bytes <= ALWAYS_TAKEN

    def _send_next(self) -> bool:
        """Begin the next request; False if there is none."""
        request = next(self._requests, None)
        if request is None:
            return False
        inputs, count = request
        header = messages.pack_tensors(count, [part.nbytes for part in inputs])
        start = time.perf_counter_ns()
        try:
            number, self._left = self._exchange.begin(Kind.RUN, header, inputs)
        except EdgerigError as error:
            self._fail(error)
            return False
        self._waiting.append(_Waiting(number, count, start))
        return True

    def _receive(self) -> Answer | None:
        """The next answer, or None if it is an error or comes after one."""
        # The request stays in the queue until its answer has arrived: an interrupted stream must not seem finished.
        request, count, start = self._waiting[0]
        try:
            answer = self._exchange.receive_answer(request, count, start)
        except EdgerigError as error:
            self._waiting.popleft()
            if not self._failed:
                self._fail(error)
            self._failed = True
            return None
        self._waiting.popleft()
        return None if self._failed else answer

    def _fail(self, error: EdgerigError) -> None:
        """Stop sending; the outstanding answers are still received, so that the session stays usable."""
        if self._exchange.broken:
            raise error
        self._failure = error
        self._requests = iter(())
