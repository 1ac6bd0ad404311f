"""Commands to a device and the lines of its answers, over any link.

Half duplex: the host sends ``text%`` and then reads until ``m-ready``. What the device says beside the protocol, such
as a log of its own, is written down and otherwise ignored.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections import deque
from typing import NamedTuple

from edgerig.errors import AnswerError, TargetError
from edgerig.suites.mlperf_tiny.grammar import INIT_DONE, NEWLINE, OCCUPIED, READY, TERMINATOR, Message, parse_line
from edgerig.suites.mlperf_tiny.runner.transcript import Transcript
from edgerig.text import one_line
from edgerig.wire.link import Link
from edgerig.wire.serial import SerialLink

#: What an interface board puts before the lines of the device behind it, and the host before its commands to that.
BEHIND_BOARD, TO_DEVICE = "[dut]: ", "dut "
#: Bytes without an end of line that are no line any more: the longest are 640 results of an autoencoder.
LONGEST_LINE = 64 * 1024
#: Begins the first line of a device that has just started.
_BOOT = "m-timestamp-mode-"
_READ = 64 * 1024
_READY_LINE = READY.encode() + NEWLINE


class ReceivedLine(NamedTuple):
    """A line of the device: its text without the end of line, and when its last byte had come.

    ``at`` is on the clock of `time.monotonic`, in seconds. Lines that came in one piece have the same.
    """

    text: str
    at: float

    @property
    def message(self) -> Message | None:
        """The line taken apart; None where it is no word of the protocol."""
        return parse_line(self.text)


class WholeAnswer(NamedTuple):
    """An answer that came in one piece: how it matches what was expected, None for ``m-ready`` alone; and when it came,
    as of a `ReceivedLine`."""

    match: re.Match[bytes] | None
    at: float

    @property
    def lines(self) -> list[ReceivedLine]:
        """Its lines without ``m-ready``."""
        data = self.match[0] if self.match is not None else b""
        return [ReceivedLine(text, self.at) for text in data.decode("ascii").split()[:-1]]


class DeviceLine:
    """The host's end of a line.

    Args:
        link: Moves the bytes; it is closed with this.
        transcript: Where each line is written down.
        behind_board: Whether an interface board is in between, which takes commands as ``dut ..`` and marks answers.
    """

    def __init__(self, link: Link, transcript: Transcript, *, behind_board: bool = False) -> None:
        self._link, self.transcript = link, transcript
        self.behind_board = behind_board
        self._fd = link.fileno() if isinstance(link, SerialLink) else -1
        self._poll = select.poll()
        if self._fd >= 0:
            self._poll.register(self._fd, select.POLLIN)
        self._prefix = TO_DEVICE if behind_board else ""
        self._waiting: deque[ReceivedLine] = deque()
        self._partial = b""
        self._echo = False
        self._view = memoryview(bytearray(_READ))
        self._timeout: float | None = None

    def ask(self, command: str, seconds: float) -> list[ReceivedLine]:
        """Send a command; the lines of its answer, without ``m-ready``.

        Args:
            command: Without the terminator.
            seconds: From now on until ``m-ready``.

        Raises:
            AnswerError: The device reports an error, started anew, or sends what is no line.
            TargetError: It did not end its answer in time, or is gone.
        """
        answer = self.ask_for(None, command, seconds)
        return answer if isinstance(answer, list) else []

    def ask_for(
        self, usual: re.Pattern[bytes] | None, command: str, seconds: float
    ) -> WholeAnswer | list[ReceivedLine]:
        """As `ask`; an answer that comes in one piece and is as ``usual`` has it is not taken apart into lines.

        Args:
            usual: The whole answer in printable characters without spaces, ``m-ready`` included; None for that alone.
            command, seconds: As for `ask`.

        Raises:
            AnswerError, TargetError: As by `ask`.
        """
        self.send(command)
        if usual is not None:
            self.transcript.settle()
        whole = self._read_whole(usual, command, seconds) if self._fd >= 0 else None
        return whole if whole is not None else self._read_lines(command, seconds)

    def _read_lines(self, command: str, seconds: float) -> list[ReceivedLine]:
        """The lines of an answer that is no error."""
        lines = self.read_answer(command, seconds)
        for line in lines:
            if line.text.startswith("e-["):
                raise AnswerError(
                    f"The device answered '{command}' with {one_line(line.text)!r}.",
                    "It does not know that command, or takes no such value. Is its firmware one for MLPerf Tiny?",
                )
            if line.text.startswith(_BOOT) or line.text == INIT_DONE:
                raise AnswerError(
                    f"The device started anew during '{command}': it sent {one_line(line.text)!r}.",
                    "Look for a watchdog, a stack overflow or a weak supply, then go on with the same command line.",
                )
        return lines

    def send(self, command: str) -> None:
        """Send a command without waiting for an answer.

        Raises:
            TargetError: The device takes nothing, or is gone.
        """
        text = self._prefix + command
        self.transcript.sent(text + "%")
        self._echo = True
        data = text.encode("ascii") + TERMINATOR
        try:
            sent = self._write_at_once(data)
            if sent < len(data):
                self._link.send([data[sent:]])
        except (TimeoutError, ConnectionError) as error:
            raise self._gone(command, error) from error

    def read_answer(self, command: str, seconds: float) -> list[ReceivedLine]:
        """The lines up to ``m-ready``, without it; ``command`` is what errors name.

        Raises:
            AnswerError: What comes is no line. TargetError: ``m-ready`` did not come in time, or the device is gone.
        """
        deadline = time.monotonic() + seconds
        if self._timeout != seconds:
            self._link.set_timeout(seconds)
            self._timeout = seconds
        lines: list[ReceivedLine] = []
        while True:
            while self._waiting:
                line = self._waiting.popleft()
                if line.text == READY:
                    return lines
                lines.append(line)
            if not self._receive(command, deadline):
                raise self._silent(command, seconds, lines)

    def discard_until_silence(self, quiet: float, most: float) -> list[str]:
        """Read and drop lines until nothing has come for ``quiet`` seconds, ``most`` seconds at most; what they were.

        Raises:
            TargetError: The device is gone.
        """
        deadline = time.monotonic() + most
        self._link.set_timeout(quiet)
        self._timeout = quiet
        while time.monotonic() < deadline and self._receive("", deadline):
            pass
        texts = [line.text for line in self._waiting]
        self._waiting.clear()
        self._partial = b""
        return texts

    def close(self) -> None:
        """Close the link."""
        self._link.close()

    def _write_at_once(self, data: bytes) -> int:
        """Bytes of ``data`` that a port of the system's own takes with a plain system call; the link sends the rest.

        A sample is hundreds of short commands, and what a link does beside that call costs as much again.
        """
        if self._fd < 0:
            return 0
        try:
            return os.write(self._fd, data)
        except OSError:
            # Its buffer is full, or it is gone: the link waits, or says what is wrong.
            return 0

    def _read_whole(self, usual: re.Pattern[bytes] | None, command: str, seconds: float) -> WholeAnswer | None:
        """The answer if it is ``m-ready`` alone, as that of nearly every command is, or all of ``usual``; else None,
        and what came is queued.

        As `_write_at_once`, plain system calls; what goes wrong with them is left to the link, which says what it is.
        """
        if self._waiting or self._partial:
            return None
        if not self._poll.poll(seconds * 1000):
            raise self._silent(command, seconds, [])
        try:
            data = os.read(self._fd, _READ)
        except OSError:
            return None
        now = time.monotonic()
        if data == _READY_LINE:
            self.transcript.received((READY,), now)
            return WholeAnswer(None, now)
        match = usual.fullmatch(data) if usual is not None else None
        if match is not None:
            self.transcript.received(data.decode("ascii").split(), now)
            return WholeAnswer(match, now)
        self._take(data, now, command)
        return None

    def _receive(self, command: str, deadline: float) -> bool:
        """Read once and queue the lines that are whole; False if nothing came in time."""
        try:
            count = self._link.recv_into(self._view)
        except TimeoutError:
            return False
        except ConnectionError as error:
            raise self._gone(command, error) from error
        now = time.monotonic()
        self._take(bytes(self._view[:count]), now, command)
        return now < deadline

    def _take(self, data: bytes, now: float, command: str) -> None:
        """Queue the lines that are whole with ``data``."""
        whole, newline, self._partial = (self._partial + data).rpartition(b"\n")
        if newline:
            self._queue(whole.decode("ascii", "backslashreplace"), now, command)
        if len(self._partial) > LONGEST_LINE:
            start = one_line(self._partial[:60].decode("ascii", "backslashreplace"))
            raise AnswerError(
                f"The device sent {len(self._partial):,} bytes without an end of line, beginning with {start!r}.",
                "Is the baud the device's, and is this the device's line?",
            )

    def _queue(self, received: str, now: float, command: str) -> None:
        """Queue lines that came in one piece."""
        texts = [text for raw in received.split("\n") if (text := raw.strip("\r\0 \t"))]
        if self._echo:
            # A terminal that echoes puts the command before the first line.
            self._echo = False
            echo = f"{self._prefix}{command}%"
            if command and texts and texts[0].startswith(echo):
                texts = [text for text in (texts[0][len(echo) :], *texts[1:]) if text]
        self.transcript.received(texts, now)
        if self.behind_board:
            texts = [text[len(BEHIND_BOARD) :] for text in texts if text.startswith(BEHIND_BOARD)]
        self._waiting.extend([ReceivedLine(text, now) for text in texts])

    def _silent(self, command: str, seconds: float, lines: list[ReceivedLine]) -> TargetError:
        """Why an answer did not end."""
        rest = one_line(self._partial.decode("ascii", "backslashreplace"))
        if rest:
            last = f"the last it sent is {rest!r}, without an end of line"
        elif lines:
            last = f"its last line is {one_line(lines[-1].text)!r}"
        else:
            last = "it sent nothing"
        return TargetError(
            f"The device did not end its answer to '{command}' with m-ready within {seconds:g} s; {last}.",
            "Are port and baud right, does no other program read the line, and does the device run? "
            "edgerig mlperf-tiny doctor LINE looks for the reason.",
        )

    def _gone(self, command: str, error: OSError) -> TargetError:
        during = f" during '{command}'" if command else ""
        recent = self.transcript.recent
        last = f" Its last line was {one_line(recent[-1])!r}." if recent else ""
        if recent and OCCUPIED in recent[-1]:
            return TargetError(
                f"Another host is connected to the device: it answered {one_line(recent[-1])!r}.",
                "It serves one at a time: wait until the other run has ended, or stop it.",
            )
        return TargetError(
            f"The device went away{during}: {error}.{last}",
            "Is it powered and plugged in? The same command line goes on where it stopped.",
        )
