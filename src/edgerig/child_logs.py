"""Log records on their way from a child process to its parent.

A child logs as any process does. `forward` gives its records to whatever carries them, `replay` logs them in the parent
as if they had been logged there: under the same name and with the time at which they came about.
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

#: Bytes of a record as JSON, and records of one child, that are taken.
LONGEST_RECORD, MOST_RECORDS = 64 * 1024, 100_000
LONGEST_NAME = 200
#: Carries a record: level, name of the logger, text, seconds since 1970.
Sender = Callable[[int, str, str, float], None]


def levels() -> Levels:
    """What this process wants of its children: of libraries nothing, unless it asks for more than their warnings."""
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
            # Without its parent a child has nobody to tell.
            with contextlib.suppress(OSError):
                self.send(record.levelno, record.name, text_of(record), record.created)


def forward(send: Sender, wanted: Levels) -> None:
    """Let ``send`` carry the records of this process to its parent, from the levels ``wanted`` on."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Forwarder)]:
        root.removeHandler(handler)
    root.addHandler(_Forwarder(send, wanted))
    root.setLevel(wanted.libraries)
    logging.getLogger("edgerig").setLevel(wanted.ours)
    logging.captureWarnings(wanted.libraries <= logging.WARNING)


def replay(level: int, name: str, text: str, created: float, process: int | None = None) -> None:
    """Log what a child has logged. The child is not trusted: its text stays on one line, and makes no new loggers."""
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
    """As `forward`, as lines of JSON into the file descriptor ``number``; `PipeReader` reads them."""
    lock = threading.Lock()
    pipe = os.fdopen(number, "wb", buffering=0)

    def send(level: int, name: str, text: str, created: float) -> None:
        line = msgspec.json.encode(_Record(level, name, text[:LONGEST_MESSAGE], created))
        with lock:
            pipe.write(line + b"\n")

    forward(send, wanted)


class PipeReader(threading.Thread):
    """Replays what a child writes into a pipe, until it closes the other end.

    Args:
        pipe: Our end, which is closed at the end.
        process: The child's id; told later, as `process`, if it is not there yet.
    """

    def __init__(self, pipe: BinaryIO, process: int | None = None) -> None:
        super().__init__(daemon=True)
        self.pipe, self.process = pipe, process
        self.start()

    def run(self) -> None:
        """Read lines; what is no record, too long or too much is passed over."""
        count = 0
        with self.pipe, contextlib.suppress(OSError, ValueError):
            while line := self.pipe.readline(LONGEST_RECORD):
                count += 1
                if count <= MOST_RECORDS:
                    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, OverflowError):
                        record = msgspec.json.decode(line, type=_Record)
                        replay(record.level, record.name, record.text, record.created, self.process)
