"""Log records that are sent from a child process to its parent.

A child logs as any process does. `forward` passes its records to a sender, `replay` logs them in the parent as if they
had been logged there: under the same name and with their original time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from edgerig.logs import LONGEST_MESSAGE, Levels, is_ours, text_of
from edgerig.text import one_line

#: Limits on the bytes of a record as JSON, and on the records of one child.
LONGEST_RECORD, MOST_RECORDS = 64 * 1024, 100_000
LONGEST_NAME = 200
#: Sends a record: level, name of the logger, text, seconds since 1970.
Sender = Callable[[int, str, str, float], None]


def levels() -> Levels:
    """The levels that this process wants of its children; nothing of libraries, unless it shows their details."""
    libraries = logging.getLogger().getEffectiveLevel()
    ours = logging.getLogger("edgerig").getEffectiveLevel()
    return Levels(ours, libraries if libraries <= logging.INFO else logging.CRITICAL)


class _Forwarder(logging.Handler):
    def __init__(self, send: Sender, wanted: Levels) -> None:
        super().__init__()
        self.send, self.wanted = send, wanted

    def emit(self, record: logging.LogRecord) -> None:
        wanted = self.wanted.ours if is_ours(record.name) else self.wanted.libraries
        if record.levelno >= wanted:
            # Without its parent a child cannot report anything.
            with contextlib.suppress(OSError):
                self.send(record.levelno, record.name, text_of(record), record.created)


def forward(send: Sender, wanted: Levels) -> None:
    """Send the records of this process to its parent through ``send``, from the levels ``wanted`` on."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Forwarder)]:
        root.removeHandler(handler)
    root.addHandler(_Forwarder(send, wanted))
    root.setLevel(wanted.libraries)
    logging.getLogger("edgerig").setLevel(wanted.ours)
    logging.captureWarnings(wanted.libraries <= logging.WARNING)


def replay(level: int, name: str, text: str, created: float, process: int | None = None) -> None:
    """Log a child's record. The child is not trusted: its text stays on one line, and creates no new loggers."""
    logger = logging.getLogger("edgerig" if is_ours(name) else None)
    if logger.isEnabledFor(level):
        record = logger.makeRecord(one_line(name, LONGEST_NAME), level, "", 0, "%s", (text,), None)
        if 0 <= created <= record.created:
            record.created = created
        record.process = process if process is not None else record.process
        logger.handle(record)


class _Record(msgspec.Struct, frozen=True, array_like=True):
    """A record as a line of JSON."""

    level: int
    name: str
    text: str
    created: float


def forward_to_pipe(number: int, wanted: Levels) -> None:
    """Like `forward`, as lines of JSON to the file descriptor ``number``; `PipeReader` reads them."""
    lock = threading.Lock()
    pipe = os.fdopen(number, "wb", buffering=0)

    def send(level: int, name: str, text: str, created: float) -> None:
        line = msgspec.json.encode(_Record(level, name, text[:LONGEST_MESSAGE], created))
        with lock:
            pipe.write(line + b"\n")

    forward(send, wanted)


class PipeReader(threading.Thread):
    """Replays the records that a child writes to a pipe, until the child closes it.

    Args:
        pipe: This process' end, which is closed at the end.
        process: The child's id; may be set later, as `process`.
    """

    def __init__(self, pipe: BinaryIO, process: int | None = None) -> None:
        super().__init__(daemon=True)
        self.pipe, self.process = pipe, process
        self.start()

    def run(self) -> None:
        """Read lines; ignore lines that are no records or too long, and all beyond the limit."""
        count = 0
        with self.pipe, contextlib.suppress(OSError, ValueError):
            while line := self.pipe.readline(LONGEST_RECORD):
                count += 1
                if count <= MOST_RECORDS:
                    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, OverflowError):
                        record = msgspec.json.decode(line, type=_Record)
                        replay(record.level, record.name, record.text, record.created, self.process)
