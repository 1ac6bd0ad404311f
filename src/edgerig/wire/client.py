"""The host's side of the protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from edgerig import __version__
from edgerig.errors import EdgerigError, TargetError, WireError
from edgerig.measure.kinds import Quantity
from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.wire import answers, messages
from edgerig.wire.frame import VERSION, Frame, FrameReader, FrameWriter, Kind, Limits
from edgerig.wire.link import Buffers, DeadlineLink, Link
from edgerig.wire.lost import gone, no_hello
from edgerig.wire.messages import Failure, Hello, Loaded, ModelHeader, Statistics, StatsHeader
from edgerig.wire.ownership import (
    TOKEN_VARIABLE,
    LeaseHeader,
    Owner,
    device_proof,
    host_proof,
    new_nonce,
    same,
)
from edgerig.wire.protocol import Answer, RuntimeProtocol
from edgerig.wire.stream import Request, Stream
from edgerig.wire.upload import PART_BYTES, check_built_in, check_size, parts

__all__ = ["Answer", "RuntimeProtocol", "WireClient"]

OK, ERROR = int(Kind.OK), int(Kind.ERROR)
#: What a device answers that knows no HELLO.
STEPWISE = tuple(int(kind) for kind in (Kind.DATA, Kind.MODEL, Kind.PROCESS, Kind.OUTPUT, Kind.STATS))
#: Seconds in which an agent has to answer the first HELLO: it starts a process for each session before it does.
HELLO_SECONDS = 15.0
#: Bytes of the largest answer that holds no tensors: what is told about a device, a network, its operators.
ABOUT_BYTES = 16 * 1024 * 1024
#: Answers that hold tensors.
_WITH_TENSORS = frozenset({int(Kind.RUN), int(Kind.OUTPUT)})
#: Seconds in which a device that does not listen any more can say why.
_LAST_WORDS_SECONDS = 1.0


class WireClient(RuntimeProtocol):
    """Speaks the protocol over a link, one request at a time.

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

    # ---- the seed's stepwise exchange

    def upload_model(self, header: ModelHeader, data: memoryview) -> Loaded:
        if self.device.network:
            check_built_in(self.who, self.device, header)
            data = memoryview(b"")
        check_size(self.who, self.device, header, data.nbytes)
        if len(messages.pack(header)) > self.device.max_header:
            header = msgspec.structs.replace(header, name="")
        frame = self._upload(header, data)
        loaded = answers.checked_loaded(answers.decoded(frame.payload, Loaded, "MODEL", self.who), self.who)
        self.window = loaded.window if self.link.lossless else 1
        self.answer_bytes = 8 + sum(max(0, spec.nbytes) for spec in loaded.outputs)
        return loaded

    def _upload(self, header: ModelHeader, data: memoryview) -> Frame:
        """Send a network, in parts if it is a large one."""
        for part, view in parts(header, data, min(PART_BYTES, self.device.max_payload)):
            frame = self.request(Kind.MODEL, messages.pack(part), [view])
        return frame

    def upload_input(self, inputs: Sequence[memoryview], count: int = 1) -> None:
        self.request(Kind.DATA, messages.pack_tensors(count, [part.nbytes for part in inputs]), inputs)

    def request_processing(self) -> int:
        request = self._send(Kind.PROCESS, b"", ())
        first = self._answer(request)
        start = time.perf_counter_ns()
        if not first.more:
            raise self._nonsense("it answered PROCESS with one OK instead of two")
        self._answer(request)
        return time.perf_counter_ns() - start

    def download_output(self, count: int = 1) -> list[memoryview]:
        frame = self.request(Kind.OUTPUT)
        answered, outputs = answers.tensors(frame, self.who)
        if answered != count:
            raise self._nonsense(f"it processed {count} samples and answered {answered}")
        return outputs

    def download_statistics(self, machine: bool = False, sensors: bool = False) -> Statistics:
        frame = self.request(Kind.STATS, messages.pack(StatsHeader(machine, sensors)))
        return answers.checked_statistics(answers.decoded(frame.payload, Statistics, "STATS", self.who), self.who)

    # ---- what goes beyond the seed

    def hello(self, owner: Owner | None = None, token: bytes | None = None) -> MachineState:
        """Introduce ourselves; keeps who the device is in ``device``, and gives its state.

        Args:
            owner: The run that asks for the device; None for whoever needs no lease.
            token: Proves that we may, if the device asks for that. It is not sent.

        Raises:
            LeaseError: Another run has the device.
            TargetError: It refuses us, or speaks another protocol, or does not answer.
        """
        limits = self.limits
        mine = Hello(VERSION, f"edgerig {__version__}", limits.header, limits.payload, owner=owner)
        proof = b""
        self._begin_greeting()
        try:
            frame = self.request(Kind.HELLO, messages.pack(mine))
        except messages.Challenge as asked:
            signed, proof = self._prove(owner or Owner(""), token, asked)
            frame = self.request(Kind.HELLO, messages.pack(msgspec.structs.replace(mine, owner=signed)))
        except messages.Unsupported:
            # The least that a device can do is the stepwise exchange.
            self._end_greeting()
            self.device = msgspec.structs.replace(self.device, kinds=STEPWISE)
            return unknown_machine(self.who)
        self._end_greeting()
        self.device = answers.checked_hello(answers.decoded(frame.header, Hello, "HELLO", self.who), self.who)
        if self.device.protocol != VERSION:
            raise TargetError(
                f"{self.who} speaks version {self.device.protocol} of the protocol, this edgerig version {VERSION}.",
                "Install the same edgerig on both sides.",
            )
        if proof and not (self.device.grant and same(self.device.grant.proof, proof)):
            raise TargetError(
                f"{self.who} asks for a token and does not know it itself.", "Is it the device that you think?"
            )
        state = answers.decoded(frame.payload, MachineState | None, "HELLO", self.who) if len(frame.payload) else None
        return answers.checked_machine(state, self.who)

    def supports(self, kind: Kind) -> bool:
        """Whether the device says that it answers requests of that kind, or does not say which it does."""
        return not self.device.kinds or int(kind) in self.device.kinds

    def _begin_greeting(self) -> None:
        """What listens there may be anything, and send anything, however slowly."""
        self._greeting = True
        self.link.set_timeout(self.hello_timeout)
        self._reader.link = DeadlineLink(self.link, time.monotonic() + self.hello_timeout)

    def _end_greeting(self) -> None:
        self._greeting = False
        self._reader.link = self.link
        self.link.set_timeout(self.timeout)

    def _prove(self, owner: Owner, token: bytes | None, asked: messages.Challenge) -> tuple[Owner, bytes]:
        """The owner with a proof that it knows the token, and the proof that the device must answer."""
        if not asked.nonce:
            raise asked
        if token is None:
            raise TargetError(
                f"{self.who} asks for a token.",
                f"Give the target's setting `token_file`, or set the variable {TOKEN_VARIABLE}.",
            )
        nonce = new_nonce()
        signed = msgspec.structs.replace(owner, nonce=nonce, proof=host_proof(token, asked.nonce, nonce, owner.id))
        return signed, device_proof(token, asked.nonce, nonce)

    def renew_lease(self, release: bool = False) -> None:
        """Keep the lease that a HELLO with ``keeper`` gave us, or give it back.

        Raises:
            LeaseError: It has passed to another owner.
        """
        self.request(Kind.LEASE, messages.pack(LeaseHeader(release)))

    def run(self, inputs: Sequence[memoryview], count: int) -> Answer:
        """Run ``count`` samples in one round trip.

        Args:
            inputs: For each input tensor the bytes of all samples.

        Raises:
            TargetError: The device went away. InferenceError: its engine failed.
        """
        header = messages.pack_tensors(count, [part.nbytes for part in inputs])
        start = time.perf_counter_ns()
        frame = self.request(Kind.RUN, header, inputs)
        round_trip = time.perf_counter_ns() - start
        return self._results(frame, count, round_trip)

    def _results(self, frame: Frame, count: int, round_trip: int) -> Answer:
        answered, outputs = answers.tensors(frame, self.who, before=8)
        if answered != count:
            raise self._nonsense(f"it was given {count} samples and answered {answered}")
        return Answer(count, frame.payload[: 8 * count], outputs, round_trip)

    def stream(self, requests: Iterable[Request], window: int | None = None) -> Iterator[Answer]:
        """Run many requests, the next ones under way while the device works on one; the answers in order.

        Args:
            requests: Arguments of `run`, asked for one by one as the device can take them. They must stay unchanged
                until they are answered.
            window: Requests under way at most; never more than the device has granted, nor than one on a link that
                loses bytes.

        Yields:
            Answers, whose views are valid until the next one is asked for.

        Raises:
            TargetError: The device went away. InferenceError: Its engine failed; the session goes on. Either comes
                at the answer of the request where it happened.
        """
        return Stream(self, requests, min(window or self.window, self.window)).answers()

    def profile(self, inputs: Sequence[memoryview], count: int, kind: Any) -> Any:
        """The per-operator profile over ``count`` samples, decoded as ``kind``."""
        header = messages.pack_tensors(count, [part.nbytes for part in inputs])
        found = answers.decoded(self.request(Kind.PROFILE, header, inputs).payload, kind, "PROFILE", self.who)
        return answers.checked_layers(found, self.who)

    def memory(self) -> dict[str, Quantity]:
        """The memory that the device tells, in bytes by name."""
        told = answers.decoded(self.request(Kind.MEMORY).payload, dict[str, Quantity], "MEMORY", self.who)
        return answers.checked_quantities(told, self.who, "B")

    def specification(self) -> Loaded:
        """What `upload_model` told about the loaded network.

        Raises:
            InferenceError: None is loaded.
        """
        return answers.checked_loaded(answers.decoded(self.request(Kind.IO).payload, Loaded, "IO", self.who), self.who)

    def reset(self) -> None:
        """Have an agent's session forget its network, a board restart."""
        self.request(Kind.RESET)

    def log(self) -> str:
        """The last lines that the device's engine or firmware has printed."""
        return answers.checked_log(self.request(Kind.LOG).payload)

    def close(self) -> None:
        """Close the link."""
        self.link.close()

    # ---- requests

    def request(self, kind: Kind, header: bytes = b"", payload: Sequence[memoryview] = ()) -> Frame:
        """Send one request and wait for its answer.

        Raises:
            EdgerigError: As the device told it. TargetError: it is gone or talks nonsense.
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
        """Take no larger an answer than one to a request of that kind can be."""
        self._reader.limits = self.limits if kind in _WITH_TENSORS else self._about

    def _next_request(self, header: bytes, payload: Sequence[memoryview]) -> int:
        """The number of a request that the device will take."""
        if self.broken:
            raise TargetError(f"The connection to {self.who} is broken.", "Open a new session.")
        size = sum(part.nbytes for part in payload)
        if size > self.device.max_payload or len(header) > self.device.max_header:
            raise TargetError(
                f"{self.who} takes at most {self.device.max_payload} B in one message, not {size} B.",
                "The network or its inputs are too large for this device.",
            )
        return self._request % 0xFFFFFFFF + 1

    # ---- what a stream is made of

    def begin(self, kind: int, header: bytes, payload: Sequence[memoryview]) -> tuple[int, Buffers]:
        """Send as much of a request as the device takes at once; its number, and what is left to send."""
        if not self.link.duplex:
            return self._send(kind, header, payload), ()
        self._request = self._next_request(header, payload)
        self._expect(kind)
        return self._request, self.continue_send(self._writer.frame(kind, self._request, header, payload))

    def continue_send(self, left: Buffers) -> Buffers:
        """Send more of a request; what is left then."""
        try:
            return self.link.send_some(left)
        except OSError as error:
            raise self._after_failed_send(error) from error

    def wait(self) -> bool:
        """Wait until more of a request can be sent or something of an answer is here; whether the latter."""
        try:
            return self.link.wait()
        except OSError as error:
            raise self._gone(error) from error

    def receive_answer(self, request: int, count: int, start: int) -> Answer:
        """The answer to a RUN that was sent at ``start`` (ns)."""
        frame = self._answer(request)
        return self._results(frame, count, time.perf_counter_ns() - start)

    # ---- answers

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
                # Request 0 is no answer: the device's keeper tells why it will answer nothing any more.
                self.broken = self.broken or frame.request == 0
                raise self.told(frame)
            if frame.request != request:
                raise self._nonsense(f"it answered request {frame.request} instead of {request}")
            if frame.kind != OK:
                raise self._nonsense(f"it answered with a message of kind {frame.kind}")
            return frame

    def told(self, frame: Frame) -> EdgerigError:
        """The error that the device told in ``frame``, in its own words."""
        failure = answers.decoded(frame.header, Failure, "ERROR", self.who)
        return messages.error_of(failure, self._speaker, answer=frame.request != 0)

    def _nonsense(self, what: str) -> WireError:
        self.broken = True
        return WireError(
            f"{self.who} does not keep to the protocol: {what}.", "Install the same edgerig on both sides."
        )

    def _after_failed_send(self, error: OSError) -> EdgerigError:
        """A device that refuses to listen may have said why before it hung up."""
        self.broken = True
        try:
            self._reader.link = DeadlineLink(self.link, time.monotonic() + _LAST_WORDS_SECONDS)
            frame = self._reader.read()
            while frame.kind != ERROR:  # answers to what was sent before
                frame = self._reader.read()
        except (OSError, WireError):
            return self._gone(error)
        return self.told(frame)

    def _gone(self, error: OSError) -> TargetError:
        self.broken = True
        unread = self._reader.unread
        if self._greeting and (isinstance(error, TimeoutError) or unread):
            return no_hello(self.who, error, self.hello_timeout, unread)
        return gone(self.who, error, self.timeout, self.why_gone)
