"""Lines of text from an instrument, read by a thread of their own as fast as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgerig.errors import AnswerError, EdgerigError, TargetError
from edgerig.wire.link import Link

#: Bytes of the longest line that is taken for one.
LONGEST = 1024
_CHUNK = 64 * 1024
#: Seconds after which the thread looks whether it should end.
_TICK_SECONDS = 0.1


class LineReader:
    """Reads a link to its end, and hands every line to ``handle`` in a thread of its own.

    An instrument sends more than a system's buffer holds, so that somebody must read all the time. What ``handle``
    raises is kept for `check`; from then on lines are read, lest the instrument blocks, and dropped.

    Args:
        link: The instrument.
        who: Its name, for errors.
        handle: Called with each line, without its end.
        begun: Whether the first bytes begin a line; else what comes before the first end of a line is dropped.
    """

    def __init__(self, link: Link, who: str, handle: Callable[[str], None], *, begun: bool) -> None:
        self.link, self.who = link, who
        self.lines = 0
        self._handle, self._begun = handle, begun
        self._error: EdgerigError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"edgerig {who}", daemon=True)
        self.link.set_timeout(_TICK_SECONDS)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise what went wrong so far.

        Raises:
            TargetError: The instrument went away. AnswerError: It sent what is no line of its protocol.
        """
        if self._error is not None:
            raise self._error

    def forget(self) -> None:
        """Forget what went wrong, and hand on lines again."""
        self._error = None

    def wait(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``ready``, for ``seconds`` at most, or until the reading ended or failed; whether it is."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.ended or self._error is not None or time.monotonic() >= deadline:
                return ready()
            time.sleep(0.002)
        return True

    def close(self) -> None:
        """Stop reading, and close the link."""
        self._stopping.set()
        self._thread.join(5)
        self.link.close()

    def _read(self) -> None:
        buffer, rest = bytearray(_CHUNK), b""
        view = memoryview(buffer)
        while not self._stopping.is_set():
            try:
                count = self.link.recv_into(view)
            except TimeoutError:
                continue
            except OSError as error:
                if rest and self._begun:
                    self._take(rest)
                self._fail(TargetError(f"{self.who} ended: {error}.", "Is it still connected and powered?"))
                return
            *lines, rest = (rest + bytes(view[:count])).split(b"\n")
            for line in lines:
                if self._begun:
                    self._take(line)
                self._begun = True
            if len(rest) > LONGEST:
                if self._begun:
                    self._fail(self._no_line(rest))
                self._begun, rest = False, b""

    def _take(self, line: bytes) -> None:
        self.lines += 1
        if self._error is not None:
            return
        try:
            text = line.decode("ascii").strip("\r\n \0")
        except UnicodeDecodeError:
            self._fail(self._no_line(line))
            return
        try:
            self._handle(text)
        except EdgerigError as error:
            self._fail(error)

    def _fail(self, error: EdgerigError) -> None:
        if self._error is None:
            self._error = error

    def _no_line(self, line: bytes) -> AnswerError:
        return AnswerError(
            f"{self.who} sent what is no line of text: {line[:40]!r}.", "Are the port and its baud rate the right ones?"
        )
