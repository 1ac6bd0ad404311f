"""Requests and their answers over one link: numbered, bounded, and with the reason where the link breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from edgerig.errors import AnswerError, EdgerigError, TargetError, WireError
from edgerig.wire import answers, messages
from edgerig.wire.frame import VERSION, Frame, FrameReader, FrameWriter, Kind, Limits
from edgerig.wire.link import Buffers, DeadlineLink, Link
from edgerig.wire.lost import gone, no_hello
from edgerig.wire.messages import Hello, TracedFailure
from edgerig.wire.protocol import Answer

OK, ERROR = int(Kind.OK), int(Kind.ERROR)
#: Seconds in which an agent has to answer the first HELLO: it starts a process for each session before it does.
HELLO_SECONDS = 15.0
#: Bytes of the largest answer without tensors: descriptions of a device, a network, its operators.
ABOUT_BYTES = 16 * 1024 * 1024
#: Answers that hold tensors.
_WITH_TENSORS = frozenset({int(Kind.RUN), int(Kind.OUTPUT)})
#: Seconds to wait for an ERROR from a device that has stopped reading.
_LAST_WORDS_SECONDS = 1.0


class Exchange:
    """Sends requests over a link and takes their answers, one request at a time.

    Args:
        link: Connected to the device.
        who: The device, for messages.
        timeout: Seconds without a byte after which the device counts as gone, and in which an answer that has begun
            must move on (`edgerig.wire.pace`).
        hello_timeout: Seconds that it may take over HELLO, if that is less: what listens there may be no agent.
        why_gone: Asked when the link breaks; what is known about the reason, or None.
        checked: Whether payloads carry a CRC-32; by default as the link needs.
        ours: Whether the program at the other end is ours, so that its words need no name before them.
    """

    def __init__(
        self,
        link: Link,
        *,
        who: str,
        timeout: float,
        hello_timeout: float = HELLO_SECONDS,
        limits: Limits | None = None,
        why_gone: Callable[[], str | None] = lambda: None,
        checked: bool | None = None,
        ours: bool = False,
    ) -> None:
        self._speaker = "" if ours else who
        self.link, self.who, self.timeout, self.why_gone = link, who, timeout, why_gone
        self.hello_timeout = min(timeout, hello_timeout)
        self.limits = limits or Limits()
        self._about = Limits(self.limits.header, min(self.limits.payload, ABOUT_BYTES))
        self.broken = self._greeting = False
        self.window, self.answer_bytes = 1, 0
        self._reader = FrameReader(link, self.limits, grace=timeout)
        self._writer = FrameWriter(link, checked=link.checked if checked is None else checked)
        self._request = 0
        #: Bytes of samples that one RUN had better not exceed, as far as the link is concerned.
        self.advised = 0xFFFFFFFF
        self.device = Hello(VERSION, "", 0xFFFF, 0xFFFFFFFF)
        link.set_timeout(timeout)

    def close(self) -> None:
        """Close the link."""
        self.link.close()

    def request(self, kind: Kind, header: bytes = b"", payload: Sequence[memoryview] = ()) -> Frame:
        """Send one request and wait for its answer.

        Raises:
            EdgerigError: The error that the device reported. TargetError: It is gone or violates the protocol.
        """
        return self._answer(self._send(kind, header, payload))

    def _send(self, kind: int, header: bytes, payload: Sequence[memoryview]) -> int:
        self._request = self._next_request(header, payload)
        self._expect(kind)
        try:
            self._writer.write(kind, self._request, header, payload)
        except OSError as error:
            raise self._after_failed_send(error) from error
        return self._request

    def _expect(self, kind: int) -> None:
        """Limit the size of the next answer to what a request of that kind can have."""
        self._reader.limits = self.limits if kind in _WITH_TENSORS else self._about

    def _next_request(self, header: bytes, payload: Sequence[memoryview]) -> int:
        """The next request number, after checking that the device accepts a message of this size."""
        if self.broken:
            raise TargetError(f"The connection to {self.who} is broken.", "Open a new session.")
        size = sum(part.nbytes for part in payload)
        if size > self.device.max_payload or len(header) > self.device.max_header:
            raise AnswerError(
                f"{self.who} takes at most {self.device.max_payload} B in one message, not {size} B.",
                "The network or its inputs are too large for this device.",
            )
        return self._request % 0xFFFFFFFF + 1

    # ---- pipelined requests, for `edgerig.wire.stream`

    def begin(self, kind: int, header: bytes, payload: Sequence[memoryview]) -> tuple[int, Buffers]:
        """Send as much of a request as the link accepts without waiting; its number, and the buffers left to send."""
        if not self.link.duplex:
            return self._send(kind, header, payload), ()
        self._request = self._next_request(header, payload)
        self._expect(kind)
        return self._request, self.continue_send(self._writer.frame(kind, self._request, header, payload))

    def continue_send(self, left: Buffers) -> Buffers:
        """Send more of a request; the buffers that are still left."""
        try:
            return self.link.send_some(left)
        except OSError as error:
            raise self._after_failed_send(error) from error

    @property
    def has_ahead(self) -> bool:
        """Whether an answer, or the beginning of one, was received together with the one before."""
        return self._reader.has_ahead

    def wait(self) -> bool:
        """Wait until the link can send or has received something; whether it has received something."""
        try:
            return self.link.wait()
        except OSError as error:
            raise self._gone(error) from error

    def receive_answer(self, request: int, count: int, start: int) -> Answer:
        """The answer to a RUN that was sent at ``start`` (ns)."""
        frame = self._answer(request)
        return self._results(frame, count, time.perf_counter_ns() - start)

    def expect_within(self, seconds: float) -> None:
        """From now on the peer is taken to be gone where it does not answer for so long."""
        self.timeout = seconds
        self.link.set_timeout(seconds)

    # ---- the greeting

    def _begin_greeting(self) -> None:
        """Limit the whole HELLO in time: the peer may not be an agent, and may send anything, however slowly."""
        self._greeting = True
        self.link.set_timeout(self.hello_timeout)
        self._reader.link = DeadlineLink(self.link, time.monotonic() + self.hello_timeout)

    def _end_greeting(self) -> None:
        self._greeting = False
        self._reader.link = self.link
        self.link.set_timeout(self.timeout)

    # ---- answers

    def _results(self, frame: Frame, count: int, round_trip: int) -> Answer:
        answered, outputs = answers.tensors(frame, self.who, before=8)
        if answered != count:
            raise self._nonsense(f"it was given {count} samples and answered {answered}")
        return Answer(count, frame.payload[: 8 * count], outputs, round_trip)

    def _answer(self, request: int) -> Frame:
        while True:
            try:
                frame = self._reader.read()
            except OSError as error:
                raise self._gone(error) from error
            except WireError as error:
                self.broken = True
                raise WireError(f"{self.who}: {error.message}", error.hint) from error
            if frame.kind == ERROR and frame.request in (request, 0):
                # Request 0 is no answer: the agent reports why the session has ended.
                self.broken = self.broken or frame.request == 0
                raise self.reported_error(frame)
            if frame.request != request:
                raise self._nonsense(f"it answered request {frame.request} instead of {request}")
            if frame.kind != OK:
                raise self._nonsense(f"it answered with a message of kind {frame.kind}")
            return frame

    def reported_error(self, frame: Frame) -> EdgerigError:
        """The error that the device reported in ``frame``, with its own message."""
        failure = answers.decoded(frame.header, TracedFailure, "ERROR", self.who)
        return messages.error_of(failure, self._speaker, answer=frame.request != 0)

    def _nonsense(self, what: str) -> WireError:
        self.broken = True
        return WireError(
            f"{self.who} does not keep to the protocol: {what}.", "Install the same edgerig on both sides."
        )

    def _after_failed_send(self, error: OSError) -> EdgerigError:
        """The error for a failed send: a device that closes a connection may have sent an ERROR before."""
        self.broken = True
        try:
            self._reader.link = DeadlineLink(self.link, time.monotonic() + _LAST_WORDS_SECONDS)
            frame = self._reader.read()
            while frame.kind != ERROR:  # answers to what was sent before
                frame = self._reader.read()
        except (OSError, WireError):
            return self._gone(error)
        return self.reported_error(frame)

    def _gone(self, error: OSError) -> TargetError:
        self.broken = True
        unread = self._reader.unread
        if self._greeting and (isinstance(error, TimeoutError) or unread):
            return no_hello(self.who, error, self.hello_timeout, unread)
        return gone(self.who, error, self.timeout, self.why_gone)
