"""Log lines with time and level: on standard error, and in a file.

Every module logs through Python's `logging` under its own name, which is below ``edgerig``. A program that uses edgerig
as a library configures `logging` itself. The command line does it with `configure`; the records of a child process are
sent to its parent, and handled there as if they had been logged there (`edgerig.child_logs`).
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import traceback
from datetime import datetime
from pathlib import Path

import msgspec

from edgerig.errors import StorageError
from edgerig.text import one_line

#: Verbosity: errors only, warnings, normal, every detail, and every detail of the libraries.
QUIET, NORMAL, VERBOSE, DETAILED, EVERYTHING = range(-1, 4)
_OURS = {QUIET: logging.ERROR, NORMAL: logging.WARNING, VERBOSE: logging.INFO}
_LIBRARIES = {QUIET: logging.ERROR, NORMAL: logging.WARNING, VERBOSE: logging.WARNING, DETAILED: logging.INFO}
#: Longest message, in characters; the rest is cut off.
LONGEST_MESSAGE = 8000
_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) +(.*)")


class Levels(msgspec.Struct, frozen=True):
    """The lowest levels that are wanted: of edgerig's records, and of all others."""

    ours: int
    libraries: int


def is_ours(name: str) -> bool:
    """Whether the logger called ``name`` is edgerig's."""
    return name == "edgerig" or name.startswith("edgerig.")


def text_of(record: logging.LogRecord) -> str:
    """The message on one line, so that it cannot forge another log line; a traceback below it, indented."""
    try:
        text = one_line(record.getMessage(), LONGEST_MESSAGE)
    except Exception as error:  # a library's arguments that do not match its own format string
        text = one_line(f"{record.msg!r} ({error})", LONGEST_MESSAGE)
    if record.exc_info and record.exc_info[1] is not None:
        trace = "".join(traceback.format_exception(record.exc_info[1]))
        text += "".join(f"\n    {one_line(line, LONGEST_MESSAGE)}" for line in trace.splitlines())
    return text


class _Console(logging.Handler):
    """Log lines on the current standard error, which a progress display may replace."""

    def __init__(self, verbosity: int) -> None:
        super().__init__()
        self.verbosity, self.wanted = verbosity, levels_of(verbosity)

    def emit(self, record: logging.LogRecord) -> None:
        wanted = self.wanted.ours if is_ours(record.name) else self.wanted.libraries
        if record.levelno < wanted or getattr(record, "on_console", False):
            return
        origin = f"{record.name}: " if self.verbosity >= DETAILED or not is_ours(record.name) else ""
        when = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S")
        # Where standard error is closed or full, there is no way to report it.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{when} {record.levelname:<7} {origin}{text_of(record)}\n")


class _File(logging.Handler):
    """Log lines appended to a file, each flushed immediately."""

    def __init__(self, path: Path, verbosity: int) -> None:
        super().__init__()
        # Detailed even where little is shown, since the file is read when something went wrong.
        self.wanted = levels_of(max(verbosity, VERBOSE))
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise StorageError(
                f"Cannot write the log file {path}: {error.strerror}.", "Name another one with --log-file."
            ) from error

    def emit(self, record: logging.LogRecord) -> None:
        wanted = self.wanted.ours if is_ours(record.name) else self.wanted.libraries
        if record.levelno < wanted:
            return
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        line = f"{when} {record.levelname:<7} {record.name}[{record.process}]: {text_of(record)}\n"
        try:
            self._file.write(line.encode(errors="replace"))
        except OSError as error:
            logging.getLogger().removeHandler(self)
            logging.getLogger(__name__).warning(
                "The log file %s cannot be written any more: %s", self.path, error.strerror
            )

    def close(self) -> None:
        self._file.close()
        super().close()


_console: _Console | None = None
_file: _File | None = None


def levels_of(verbosity: int) -> Levels:
    """The levels of a verbosity between `QUIET` and `EVERYTHING`."""
    return Levels(_OURS.get(verbosity, logging.DEBUG), _LIBRARIES.get(verbosity, logging.DEBUG))


def configure(verbosity: int = NORMAL, path: Path | None = None) -> None:
    """Show log lines on standard error, and append them to the file ``path``; replaces the former configuration.

    Args:
        verbosity: `QUIET` to `EVERYTHING`.
        path: The log file; its folder is created. It gets the lines of `VERBOSE`, or of ``verbosity`` if that is more.

    Raises:
        StorageError: It cannot be written.
    """
    global _console, _file
    file = _File(path, verbosity) if path is not None else None
    shutdown()
    _console, _file = _Console(verbosity), file
    root = logging.getLogger()
    root.addHandler(_console)
    wanted = _console.wanted
    if file is not None:
        root.addHandler(file)
        wanted = Levels(min(wanted.ours, file.wanted.ours), min(wanted.libraries, file.wanted.libraries))
    root.setLevel(wanted.libraries)
    logging.getLogger("edgerig").setLevel(wanted.ours)
    logging.captureWarnings(True)


def shutdown() -> None:
    """Undo `configure`."""
    global _console, _file
    root = logging.getLogger()
    for handler in (_console, _file):
        if handler is not None:
            root.removeHandler(handler)
            handler.close()
    if _console is not None:
        root.setLevel(logging.WARNING)
        logging.getLogger("edgerig").setLevel(logging.NOTSET)
        logging.captureWarnings(False)
    _console = _file = None


def shows(level: int) -> bool:
    """Whether a record of edgerig of that level gets a line on standard error."""
    return _console is not None and level >= _console.wanted.ours


def quiet() -> bool:
    """Whether only errors are shown."""
    return _console is not None and _console.verbosity <= QUIET


def parsed(line: str) -> tuple[int, str]:
    """Level and message of a line that a program of edgerig wrote to its standard error; INFO for any other line."""
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        return logging.INFO, line.rstrip()
    return logging.getLevelNamesMapping()[match[1]], match[2]
