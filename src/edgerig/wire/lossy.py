"""The host's side of the protocol on links that lose, damage, double or invent bytes.

``docs/wire-lossy.md`` is the specification. Every request carries a sequence number. If its answer does not come in
time or comes damaged, the same request is sent again; the device, which knows the number of the last request that it
worked on, answers a repeated one again without running the network twice.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import msgspec

from edgerig.errors import AnswerError, TargetError, WireError
from edgerig.measure.machine import MachineState
from edgerig.text import one_line
from edgerig.wire import answers, messages
from edgerig.wire.client import WireClient
from edgerig.wire.frame import MORE, PREAMBLE, VERSION, Frame, Kind, Limits, encode
from edgerig.wire.messages import Failure, ModelHeader, pack
from edgerig.wire.ownership import Owner
from edgerig.wire.scanner import Damage, Scanner
from edgerig.wire.serial import SerialLink

#: Seconds of silence within a frame after which the rest of it counts as lost.
IDLE_SECONDS = 0.25
#: Seconds to wait for the first answer of a kind, in addition to its transmission time.
FIRST_SECONDS = 0.7
#: Least seconds to wait, once the usual time of such an answer is known.
LEAST_SECONDS = 0.3
#: The wait doubles after each silence: up to this many seconds if the usual time is not known.
LONGEST_SECONDS = 10.0
#: And so many doublings of the usual time once it is: on a bad line, silence often means no more than a lost byte.
MOST_DOUBLINGS = 2
#: Seconds in which a device has to answer the first HELLO; boards that reset when a port is opened take 2 or 3.
HELLO_SECONDS = 10.0
_HELLO_EVERY = 0.5
#: Number of refusals after which a request is repeated only after a pause.
HASTY_TRIES = 20
PAUSE_SECONDS = 0.2
#: One request of a run should not take longer than this on the line, in seconds, whatever else it takes.
RUN_SECONDS = 0.5
#: Bytes of the first request: on a bad line a long one may never arrive whole.
FIRST_ADVISED = 512
#: Messages are not made smaller than this on account of a bad line, in bytes of payload: parts of a network have longer
#: headers than samples.
LEAST_ADVISED, LEAST_PART = 64, 256
#: A message that had to be sent again is followed by shorter ones, one that got through by longer ones. So the length
#: settles where about 70 % get through, which is near the best for a line that loses every byte alike.
SHORTER, LONGER = 3 / 4, 1 / 8
#: Sent behind each message on a line that is known to lose bytes: it ends what a receiver waits for, at once instead of
#: after a silence, if no more than so many bytes are missing.
FILLER = bytes(16)


class Faults(msgspec.Struct):
    """What went wrong on the line so far: requests sent again, frames that came damaged, refused by the device."""

    resent: int = 0
    damaged: int = 0
    refused: int = 0


def following(sequence: int) -> int:
    """The sequence number after ``sequence``; 0 is left out."""
    return 1 if sequence == 0xFFFF else sequence + 1


class LossyClient(WireClient):
    """A `WireClient` that sends again what got lost.

    Args:
        link: Connected to the device.
        who: The device, for messages.
        timeout: Seconds without an answer, whatever was tried, after which the device counts as gone.
        byte_seconds: How long a byte takes on the line.

    Attributes:
        faults: What went wrong so far.
    """

    link: SerialLink

    def __init__(
        self, link: SerialLink, *, who: str, timeout: float, byte_seconds: float, limits: Limits | None = None
    ) -> None:
        super().__init__(link, who=who, timeout=timeout, limits=limits, checked=True)
        self.faults = Faults()
        self._byte_seconds = byte_seconds
        self._fast = max(LEAST_PART, int(RUN_SECONDS / byte_seconds))
        self.advised = min(FIRST_ADVISED, self._fast)
        self._spoils = False
        self._scanner = Scanner(self.limits)
        # Answers to an earlier session may still be in transit.
        self._request = secrets.randbelow(0xFFFFFFF0) + 1
        self._sequence = secrets.randbelow(0xFFFF) + 1
        self._greeted = False
        self._kind, self._size, self._frame = 0, 0, list[bytes | memoryview]()
        self._first = self._started = self._last = 0.0
        self._tries = self._silences = 0
        self._refusal = ""
        #: Kind -> seconds that an answer usually takes, for each byte of its request.
        self._pace: dict[int, float] = {}

    def hello(self, owner: Owner | None = None, token: bytes | None = None) -> MachineState:
        self._greeted = False
        state = super().hello(owner, token)
        self._greeted = True
        return state

    def _upload(self, header: ModelHeader, data: memoryview) -> Frame:
        """Send a network in parts: a large message may never arrive whole on a bad line."""
        offset, frame = 0, None
        while frame is None or offset < data.nbytes:
            part = data[offset : offset + max(self.advised, LEAST_PART)]
            whole = offset == 0 and part.nbytes == data.nbytes
            part_header = header if whole else msgspec.structs.replace(header, offset=offset, total=data.nbytes)
            frame = self.request(Kind.MODEL, pack(part_header), [part])
            offset += part.nbytes
        return frame

    def request_processing(self) -> int:
        start = time.perf_counter_ns()
        request = self._send(Kind.PROCESS, b"", ())
        # If the first OK was lost, the time counts from the request.
        if self._answer(request).flags & MORE:
            start = time.perf_counter_ns()
            while self._answer(request).flags & MORE:
                self._check_time()
        return time.perf_counter_ns() - start

    # ---- sending

    def _send(self, kind: int, header: bytes, payload: Sequence[memoryview]) -> int:
        if self.broken:
            raise TargetError(f"The connection to {self.who} is broken.", "Open a new session.")
        self._check_size(header, payload)
        self._expect(kind)
        self._request = self._request % 0xFFFFFFFF + 1
        self._sequence = following(self._sequence)
        self._frame = encode(kind, self._request, header, payload, sequence=self._sequence)
        self._kind, self._size = kind, sum(len(part) for part in self._frame)
        self._tries = self._silences = 0
        self._refusal = ""
        self._first = time.monotonic()
        self._transmit()
        return self._request

    def _expect(self, kind: int) -> None:
        super()._expect(kind)
        self._scanner.limits = self._reader.limits

    def _check_size(self, header: bytes, payload: Sequence[memoryview]) -> None:
        size = sum(part.nbytes for part in payload)
        if size > self.device.max_payload or len(header) > self.device.max_header:
            raise AnswerError(
                f"{self.who} takes at most {self.device.max_header} B of header and {self.device.max_payload} B of "
                f"payload in one message, not {len(header)} B and {size} B.",
                "The network or its inputs are too large for this device.",
            )

    def _transmit(self) -> None:
        try:
            self.link.set_timeout(self.timeout)
            self._started = time.monotonic()
            self.link.send_reading([*self._frame, FILLER] if self._spoils else self._frame, self._receive)
        except OSError as error:
            raise self._gone(error) from error
        self._last = time.monotonic() + self.link.unsent() * self._byte_seconds

    def _again(self) -> None:
        """Send the request again, unless it has been tried for too long."""
        self._check_time()
        self._tries += 1
        self.faults.resent += 1
        self._spoils = self._spoils or self._kind != Kind.HELLO
        self._transmit()

    def _check_time(self) -> None:
        """Give up after too long a time, whatever comes."""
        # A device whose answers arrive damaged is present.
        there = self._greeted or self.faults.damaged + self.faults.refused > 0
        limit = self.timeout if there else min(self.timeout, HELLO_SECONDS)
        # On a slow line a few tries exceed any timeout: add the time of the bytes that were really sent.
        limit = max(limit, 4 * ((self._size + self._scanner.arrived) * self._byte_seconds + LEAST_SECONDS))
        if time.monotonic() - self._first > limit:
            self.broken = True
            raise self._unanswered(limit)

    def _patience(self) -> float:
        """Seconds to wait for the answer after the request has gone out."""
        if self._kind == Kind.HELLO:
            return _HELLO_EVERY
        pace = self._pace.get(self._kind)
        # On a slow line some time passes before incoming bytes can be recognized as an answer.
        way = 2 * PREAMBLE.size * self._byte_seconds
        if pace is None:
            return way + min(FIRST_SECONDS * 2.0**self._silences, LONGEST_SECONDS)
        return way + (LEAST_SECONDS + 2 * pace * self._size) * 2.0 ** min(self._silences, MOST_DOUBLINGS)

    # ---- receiving

    def _receive(self) -> None:
        """Take what has come into the scanner."""
        self._scanner.put(self.link.recv_into(self._scanner.space()))

    def _answer(self, request: int) -> Frame:
        while True:
            scanned = self._scanner.next()
            if scanned is None:
                self._wait()
            elif isinstance(scanned, Damage):
                self._silences = 0  # the device responds
                self._damaged(scanned)
            elif self._is_answer(scanned, request):
                self._learn()
                return scanned
            else:
                self._check_time()  # unrelated answers may keep coming

    def _learn(self) -> None:
        """Update, from an answer, the usual time of such answers and the advised message length on this line."""
        self._learn_pace((time.monotonic() - self._started) / self._size)
        if self._kind not in (Kind.RUN, Kind.MODEL):
            return
        if self._tries:
            shorter = min(self._size, self.advised) * SHORTER ** min(self._tries, 4)
            self.advised = max(LEAST_ADVISED, int(shorter))
        else:
            # Until something was spoiled they grow faster, not twofold: one far too long may never get through.
            more = self.advised * (LONGER if self._spoils else 1 / 2)
            self.advised = min(self._fast, self.advised + max(1, int(more)))

    def _learn_pace(self, pace: float) -> None:
        """Smoothed as a round trip time (RFC 6298). Of what was sent again, time counts from the last try on.

        The answer may have been to an earlier one (Karn and Partridge, 1987): so that can only make the pace longer.
        """
        before = self._pace.get(self._kind)
        if before is None:
            self._pace[self._kind] = pace
        elif not self._tries or pace > before:
            self._pace[self._kind] = before + (pace - before) / 4

    def _wait(self) -> None:
        """Wait for bytes; if none come, decide what to do."""
        patience = self._last + self._patience() - time.monotonic()
        self._check_time()
        if patience < 0 and not self._scanner.awaited:
            self._again()  # garbage keeps coming
            return
        try:
            self.link.set_timeout(IDLE_SECONDS if self._scanner.partial else max(0.0, patience))
            self._receive()
            until = time.monotonic() + 1.0
            self.link.set_timeout(IDLE_SECONDS)
            while self._scanner.missing and time.monotonic() < until:
                self._receive()
        except TimeoutError:
            if not self._scanner.partial:
                self._silences += 1
                self._again()
                return
            damage = self._scanner.idle()
            if damage is not None:
                self._damaged(damage)
        except OSError as error:
            raise self._gone(error) from error

    def _damaged(self, damage: Damage) -> None:
        self.faults.damaged += 1
        if damage.version != VERSION:
            self.broken = True
            raise WireError(
                f"{self.who} speaks version {damage.version} of the protocol, this edgerig version {VERSION}.",
                "Install the same edgerig on both sides.",
            )
        if damage.request == self._request:
            self._again()

    def _is_answer(self, frame: Frame, request: int) -> bool:
        """Whether ``frame`` is the awaited answer; handles it if it is not."""
        if frame.kind == Kind.HELLO and frame.request == 0:
            self._announced(frame)
            return False
        if frame.request != request or frame.kind not in (Kind.OK, Kind.ERROR):
            return False  # a duplicate answer
        if frame.kind == Kind.OK:
            return True
        failure: Failure = answers.decoded(frame.header, Failure, "ERROR", self.who)
        if failure.code == messages.BAD_FRAME:
            self.faults.refused += 1
            self._silences, self._refusal = 0, one_line(failure.message)
            if self._tries >= HASTY_TRIES:
                # The line is not at fault: repeating at once would only keep both sides busy.
                time.sleep(PAUSE_SECONDS)
            self._again()
            return False
        if failure.code == messages.OUT_OF_SEQUENCE:
            self._out_of_sequence(failure)
            return False
        raise self.reported_error(frame)

    def _announced(self, frame: Frame) -> None:
        """Handle the HELLO that a device sends after a restart."""
        announced: messages.Hello = answers.decoded(frame.header, messages.Hello, "HELLO", self.who)
        if not self._greeted:
            if self._kind == Kind.HELLO:
                self._again()
        elif announced.boot != self.device.boot or announced.boot == 0:
            raise self._restarted(announced.reset_cause)

    def _out_of_sequence(self, failure: Failure) -> None:
        expected = failure.details[0] if failure.details else None
        if expected == self._sequence:
            self._again()
            return
        if expected == 0:
            raise self._restarted(None)
        self.broken = True
        raise TargetError(
            f"{self.who} expected another message than the one it got.",
            "Does another program speak to it at the same time? Close that one.",
        )

    def _restarted(self, cause: str | None) -> TargetError:
        self.broken = True
        words = f" ({one_line(cause)})" if cause else ""
        return TargetError(
            f"{self.who} went away: it restarted{words} in the middle of the session.",
            "Look at its power supply and at its log; a network that crashes the firmware does that too.",
        )

    def _unanswered(self, seconds: float) -> TargetError:
        """The error for a request without an intelligible answer."""
        scanner, tries = self._scanner, self._tries + 1
        if scanner.frames == 0 and scanner.skipped > 0:
            return TargetError(
                f"{self.who}: {scanner.skipped} bytes came in {seconds:g} s, and not one message among them.",
                "Is the baud rate right, on both sides, and is it edgerig's firmware or agent that runs there?",
            )
        if not self._greeted and scanner.frames > 0:
            return TargetError(
                f"{self.who}: {scanner.frames:,} messages came in {seconds:.3g} s, and none of them is an answer.",
                "Does something on the line send back what it is sent, as a console or a loopback plug does?",
            )
        if not self._greeted:
            return TargetError(
                f"{self.who} does not answer: it was asked {tries} times in {seconds:g} s, and not a byte came.",
                "Is the port the right one, is the device on, and does edgerig's firmware or agent run there?",
            )
        refusal = f" The device said: {self._refusal}" if self._refusal else ""
        return TargetError(
            f"{self.who} has not answered for {seconds:g} s, asked {tries} times; "
            f"{self.faults.damaged} messages came damaged.{refusal}",
            "Is one inference longer than that? Raise the target's setting `timeout`. Else look at cable and baud.",
        )
