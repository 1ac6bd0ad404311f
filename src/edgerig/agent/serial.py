"""The agent on a serial line: one host, no connections, bytes that may get lost.

Stands between the line and a worker process, and sees that no request is worked on twice: ``docs/wire-lossy.md``.
"""

from __future__ import annotations

import os
import secrets
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgerig.agent.greeting import answer_hello
from edgerig.agent.scratch import own_folder
from edgerig.agent.worker_process import WorkerLimits, WorkerProcess
from edgerig.errors import EdgerigError, TargetError, WireError
from edgerig.plugin_names import names
from edgerig.wire import messages
from edgerig.wire.frame import MORE, VERSION, Frame, FrameReader, Kind, Limits, encode
from edgerig.wire.lossy import FILLER, following
from edgerig.wire.messages import Failure, Hello, pack, unpack
from edgerig.wire.pace import MESSAGE_SECONDS, Deadline
from edgerig.wire.pair import pair
from edgerig.wire.scanner import Damage, Scanner
from edgerig.wire.serial import SerialLink

#: Seconds of silence within a frame after which the rest of it counts as lost.
IDLE_SECONDS = 0.2
_TICK = 0.1


class _RequestKey(msgspec.Struct, frozen=True):
    """Identifies a request."""

    kind: int
    request: int
    sequence: int


class _WorkerSession:
    """The worker process of a session, and our end of the link to it."""

    def __init__(self, runtimes: Sequence[str], folder: Path | None, limits: WorkerLimits) -> None:
        self.link, theirs = pair()
        try:
            self.process = WorkerProcess(theirs.socket, runtimes=runtimes, parent_folder=folder, limits=limits)
        except BaseException:
            self.link.close()
            raise
        finally:
            theirs.close()
        self.link.set_timeout(10.0)
        # `poll` does not see bytes that were read ahead.
        self.reader = FrameReader(self.link, read_ahead=False)

    def end(self) -> None:
        self.link.close()
        self.process.kill()


class SerialAgent:
    """Serves this machine as a device under test on a serial line.

    Args:
        link: The open port.
        folder: Where networks are put; this agent's alone. None for the temporary folder.
        runtimes: Runtimes that the host may ask for; the registered ones if none is given.
        idle: Seconds without a request after which a session ends.
        limits: What a session may use.
        log: Hears of sessions.

    Raises:
        UsageError: Another agent has the folder. StorageError: It cannot be used.
    """

    def __init__(
        self,
        link: SerialLink,
        *,
        folder: Path | None = None,
        runtimes: Sequence[str] = (),
        idle: float = 600.0,
        limits: WorkerLimits | None = None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.link, self.folder, self.idle, self.log = link, folder, idle, log
        self.runtimes = tuple(runtimes) or tuple(names("runtime"))
        self.limits = limits or WorkerLimits()
        self._wire_limits = Limits(payload=max(self.limits.message, self.limits.model))
        self._lock = own_folder(folder)
        self.boot = secrets.randbelow(0xFFFFFFFE) + 1
        self._scanner = Scanner(self._wire_limits)
        self._stopping = False
        self._work: _WorkerSession | None = None
        self._last: _RequestKey | None = None
        self._answers: list[bytes] = []
        self._busy = self._spoils = False
        self._deadline: Deadline | None = None
        self._heard = time.monotonic()

    def serve(self) -> None:
        """Serve the host until `stop` is called, the port is gone, or an exception such as Ctrl-C ends it."""
        self.link.set_timeout(5.0)
        try:
            self._announce()
            while not self._stopping:
                self._step()
        except ConnectionError as error:
            raise TargetError(f"The serial line is gone: {error}.") from error
        finally:
            self.close()

    def stop(self) -> None:
        """Let `serve` end soon; may be called from any thread."""
        self._stopping = True

    def close(self) -> None:
        """End the worker and close the port."""
        self._stopping = True
        self._end_session()
        self.link.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _step(self) -> None:
        """Wait for the host or the worker, and handle their messages."""
        poll = select.poll()
        poll.register(self.link.fileno(), select.POLLIN)
        if self._work is not None:
            poll.register(self._work.link.socket, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(_TICK * 1000)}
        if self.link.fileno() in ready:
            self._scanner.put(self.link.recv_into(self._scanner.space()))
            self._heard = time.monotonic()
            self._take_frames()
            self._check_pace()
        elif self._scanner.partial and time.monotonic() - self._heard > IDLE_SECONDS:
            self._give_up_frame()
        if self._work is not None and self._work.link.socket.fileno() in ready:
            self._take_answer(self._work)
        elif self._last is not None and not self._busy and time.monotonic() - self._heard > self.idle:
            self.log("session ended: no request came for too long")
            self._end_session()

    # ---- from the host

    def _check_pace(self) -> None:
        """Give up a frame that has begun and comes too slowly, byte by byte without a silence."""
        if not self._scanner.awaited:
            self._deadline = None
            return
        if self._deadline is None:
            self._deadline = Deadline(MESSAGE_SECONDS, self.link.least_rate, self._scanner.arrived)
        try:
            self._deadline.left(self._scanner.arrived)
        except TimeoutError:
            self._give_up_frame()

    def _give_up_frame(self) -> None:
        self._deadline = None
        while (damage := self._scanner.idle()) is not None:
            self._refuse_damaged(damage)
            self._take_frames()

    def _take_frames(self) -> None:
        while (scanned := self._scanner.next()) is not None:
            if isinstance(scanned, Damage):
                self._refuse_damaged(scanned)
            elif scanned.kind not in (Kind.OK, Kind.ERROR):
                self._take_request(scanned)

    def _take_request(self, frame: Frame) -> None:
        label = _RequestKey(frame.kind, frame.request, frame.sequence)
        # A repeated request was answered before, and the answer got lost or damaged.
        self._spoils = self._spoils or label == self._last
        if frame.kind == Kind.HELLO:
            self._greet(frame, label)
            return
        if frame.sequence and label == self._last:
            # If it is still being processed, its answer will follow.
            if not self._busy:
                for answer in self._answers:
                    self._send(answer)
            return
        expected = following(self._last.sequence) if self._last is not None else 0
        if self._busy or (frame.sequence and frame.sequence != expected):
            text = "Another message was expected."
            self._refuse(label, Failure(messages.OUT_OF_SEQUENCE, text, None, (expected,)))
            return
        self._last, self._answers, self._busy = label, [], True
        try:
            self._check_size(frame)
            self._hand_over(frame)
        except EdgerigError as error:
            self._answer(Kind.ERROR, pack(messages.failure_of(error)))
        except OSError:
            self._worker_died()

    def _check_size(self, frame: Frame) -> None:
        """Refuse messages that are too large for the worker, as its own refusal would end the session."""
        limit = self.limits.model if frame.kind == Kind.MODEL else self.limits.message
        if len(frame.payload) > limit:
            raise TargetError(
                f"The device takes at most {limit} B in such a message, not {len(frame.payload)} B.",
                "Raise --max-model or --max-message of its agent.",
            )

    def _hand_over(self, frame: Frame) -> None:
        if self._work is None:
            self._work = _WorkerSession(self.runtimes, self.folder, self.limits)
            self.log(f"session begins, process {self._work.process.pid}")
        self._work.link.send(encode(frame.kind, frame.request, frame.header, [frame.payload], checked=False))

    def _greet(self, frame: Frame, label: _RequestKey) -> None:
        self._end_session()
        self._last, self._busy = label, False
        try:
            header, payload = answer_hello(frame, self.runtimes, self._wire_limits)
        except WireError as error:
            self._answer(Kind.ERROR, pack(Failure(messages.BAD_FRAME, error.message, error.hint)))
            return
        self._answer(Kind.OK, self._named(header), payload)

    def _named(self, header: bytes) -> bytes:
        """The header of a HELLO with our boot id."""
        return pack(msgspec.structs.replace(unpack(header, Hello), boot=self.boot))

    def _announce(self) -> None:
        """Send a HELLO, so that a host in the middle of a session learns of the restart."""
        header, payload = answer_hello(
            Frame(Kind.HELLO, 0, 0, pack(Hello(VERSION, "", 0, 0)), memoryview(b"")), self.runtimes, self._wire_limits
        )
        self._send(b"".join(encode(Kind.HELLO, 0, self._named(header), payload)))

    def _refuse_damaged(self, damage: Damage) -> None:
        self._spoils = True
        if damage.kind not in (Kind.OK, Kind.ERROR):
            expected = following(self._last.sequence) if self._last is not None else 0
            failure = Failure(messages.BAD_FRAME, f"A message was refused: {damage.why}.", None, (expected,))
            self._refuse(_RequestKey(damage.kind, damage.request, damage.sequence), failure)

    def _refuse(self, label: _RequestKey, failure: Failure) -> None:
        self._send(b"".join(encode(Kind.ERROR, label.request, pack(failure), sequence=label.sequence)))

    # ---- from the worker

    def _take_answer(self, work: _WorkerSession) -> None:
        try:
            frame = work.reader.read()
        except (OSError, WireError):
            self._worker_died()
            return
        if self._busy:
            self._answer(frame.kind, frame.header, [frame.payload], frame.flags & MORE)
        if frame.request == 0:
            self._drop_worker()

    def _worker_died(self) -> None:
        work = self._work
        reason = work.process.why_dead() if work is not None else None
        self._drop_worker()
        text = (reason or "the process that ran the network hangs.").strip()
        self.log(text)
        if self._busy:
            error = TargetError(text[0].upper() + text[1:], "The network crashes its engine; the agent lives on.")
            self._answer(Kind.ERROR, pack(messages.failure_of(error)))

    def _answer(self, kind: int, header: bytes = b"", payload: Sequence[memoryview] = (), flags: int = 0) -> None:
        """Answer the last request, and keep the answer for a repeated request."""
        assert self._last is not None
        label = self._last
        answer = b"".join(encode(kind, label.request, header, payload, flags=flags, sequence=label.sequence))
        self._busy = bool(flags & MORE)
        self._answers.append(answer)
        self._send(answer)

    def _send(self, data: bytes) -> None:
        try:
            self.link.send([data, FILLER] if self._spoils else [data])
        except TimeoutError:
            self.log("the host takes no more bytes")

    def _end_session(self) -> None:
        self._last, self._answers, self._busy = None, [], False
        if self._work is not None:
            self.log("session ended")
        self._drop_worker()

    def _drop_worker(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work.end()
